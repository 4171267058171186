//! Seeds that failed once. They run with every range of seeds, as long as they draw the same world.

/// Each with what it taught.
pub const TAUGHT: &[(u64, &str)] = &[
    (
        1990,
        "small appends that overtake one another are rejected by the hundred, and all behind the gap \
         was sent again: a rejection narrows the window",
    ),
    (
        14_553,
        "packets that come again, up to a minute late, are signs of life of a leader that is dead: the network \
         must stop repeating before elections can be expected",
    ),
];
