//! Election (labs 2A, 3A), by the names of the labs' testers.

use quorate_tests::labs::check;

#[test]
fn initial_election() {
    check("InitialElection");
}

#[test]
fn re_election() {
    check("ReElection");
}

#[test]
fn many_elections() {
    check("ManyElections");
}
