//! Persistence (labs 2C, 3C), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn persist1() {
    check("Persist1");
}

#[test]
fn persist2() {
    check("Persist2");
}

#[test]
fn persist3() {
    check("Persist3");
}

#[test]
fn figure8() {
    check("Figure8");
}

#[test]
fn unreliable_agree() {
    check("UnreliableAgree");
}

#[test]
fn figure8_unreliable() {
    check("Figure8Unreliable");
}

#[test]
fn reliable_churn() {
    check("ReliableChurn");
}

#[test]
fn unreliable_churn() {
    check("UnreliableChurn");
}
