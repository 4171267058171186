//! Snapshots (labs 2D, 3D), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn snapshot_basic() {
    check("SnapshotBasic");
}

#[test]
fn snapshot_install() {
    check("SnapshotInstall");
}

#[test]
fn install_unreliable() {
    check("InstallUnreliable");
}

#[test]
fn install_crash() {
    check("InstallCrash");
}

#[test]
fn install_unreliable_crash() {
    check("InstallUnreliableCrash");
}

#[test]
fn all_crash() {
    check("AllCrash");
}

#[test]
fn snapshot_init() {
    check("SnapshotInit");
}
