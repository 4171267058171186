//! Bugs that can be switched on. This build is of the code that ships, and has none; the page's other module is
//! built from a copy in which some are planted, and this file is another one there.

/// Their names.
pub(crate) fn names() -> &'static [&'static str] {
    &[]
}

/// From now on this bug is on, and no other.
///
/// # Errors
/// There is none of this name: a sentence.
pub(crate) fn set(bug: Option<&str>) -> Result<(), String> {
    match bug {
        None => Ok(()),
        Some(name) => Err(format!("this simulator has no bug named {name:?}")),
    }
}
