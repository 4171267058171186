//! The conversations in `tests/scripts`. What happens must be what is written there; with
//! `QUORATE_REWRITE=1` it is written anew, to be read as a change to behavior.

use std::path::Path;

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name)
        .with_extension("txt");
    let script = std::fs::read_to_string(&path).expect("the script exists");
    let real = quorate_tests::script::run(&script);
    if std::env::var_os("QUORATE_REWRITE").is_some() {
        std::fs::write(&path, real).expect("the script can be written");
        return;
    }
    for (number, (expected, real)) in (1..).zip(script.lines().zip(real.lines())) {
        assert_eq!(real, expected, "{name}.txt, line {number}");
    }
    assert_eq!(
        real.lines().count(),
        script.lines().count(),
        "{name}.txt has another length"
    );
}

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            check(stringify!($name));
        }
    )*};
}

scripts![
    election,
    votes,
    replication,
    conflict,
    commit,
    durability,
    figure_7,
    figure_8,
    snapshot,
    read,
    membership,
    sleep,
];

#[test]
fn every_script_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let count = std::fs::read_dir(folder)
        .expect("the folder exists")
        .count();
    assert_eq!(
        count, 12,
        "a script is not named in this file, or a name has no script"
    );
}
