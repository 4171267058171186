//! The simulator on wasm32, for a host in JavaScript. On other targets this crate is empty.

/// For a host in JavaScript.
#[cfg(target_arch = "wasm32")]
pub mod wasm {
    use quorate_sim::replay::{Request, exit};
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = console)]
        fn error(text: &str);
    }

    /// Runs the world of these options, and gives the exit code, what is to be printed, and what is to be
    /// complained of. A panic is told at once, and then the module traps.
    #[wasm_bindgen]
    #[must_use]
    pub fn replay(options: &str) -> Vec<String> {
        let request = match Request::parse(options.split_whitespace()) {
            Ok(request) => request,
            Err(what) => {
                return vec![
                    exit::USAGE.to_string(),
                    String::new(),
                    format!("sim: {what}"),
                ];
            }
        };
        let (seed, command) = (request.seed, request.command());
        std::panic::set_hook(Box::new(move |panic| {
            error(&format!("\nseed {seed}: {panic}\nreplay: {command}"));
        }));
        let report = request.run();
        let complaint = report.complaint().unwrap_or_default();
        vec![report.code().to_string(), report.text(), complaint]
    }
}
