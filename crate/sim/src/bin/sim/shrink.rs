//! Shrinking a failure. Each smaller world is run by a process of its own, since a panic ends one.

use std::process::{Command, Stdio};

use quorate_sim::replay::{Request, TORMENT, exit, signature};
use quorate_sim::shrink::shrink;

pub(crate) fn run(request: &Request) -> u8 {
    let (first, code) = try_out(request);
    let Some(wanted) = first else {
        println!("seed {} does not fail", request.seed);
        return 0;
    };
    println!("seed {}: {wanted}", request.seed);
    let shape = request.reduction.draw(request.seed, TORMENT);
    // More than are drawn: so many more than on average hardly ever come.
    let drawn = shape.torment / shape.fault_mean * 3 + 20;
    let mut tries = 0;
    let fails = |reduction: &_| {
        tries += 1;
        let smaller = with(request, reduction);
        let fails = try_out(&smaller).0.as_ref() == Some(&wanted);
        if fails {
            println!("fails too:{reduction}");
        }
        fails
    };
    let small = shrink(request.seed, &request.reduction, TORMENT, drawn, fails);
    let small = with(request, &small);
    let shape = small.reduction.draw(small.seed, TORMENT);
    println!(
        "smallest of {tries}: {} nodes, {} clients, {} ms\nreplay: {}",
        shape.cluster.voters,
        shape.clients,
        shape.torment / 1_000,
        small.command()
    );
    code
}

fn with(request: &Request, reduction: &quorate_sim::reduce::Reduction) -> Request {
    Request {
        reduction: reduction.clone(),
        ..request.clone()
    }
}

/// How the world fails, if it does, and the exit code.
fn try_out(request: &Request) -> (Option<String>, u8) {
    let program = std::env::current_exe().expect("a program knows where it is");
    let command = request.command();
    let words = command.split(' ').skip_while(|word| *word != "--seed");
    let output = Command::new(program)
        .args(words.filter(|word| *word != "--trace"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .expect("a program can run itself");
    let code = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok());
    let complaint = String::from_utf8_lossy(&output.stderr);
    (signature(&complaint), code.unwrap_or(exit::PANIC))
}
