//! `seeds FOLDER`: writes the inputs to begin with, a folder for each target.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds FOLDER");
        std::process::exit(2);
    };
    for (number, (target, data)) in quorate_fuzz_targets::seeds().into_iter().enumerate() {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(format!("seed-{number}")), data)?;
    }
    Ok(())
}
