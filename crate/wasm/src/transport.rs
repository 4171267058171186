//! Frames over ports. The only user of `MessagePort`.
//!
//! A frame is one `ArrayBuffer`, transferred: bytes, never structured objects. Whatever else comes
//! in is no frame. Ports lose silently when the other side dies, so nothing here waits for anyone.

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, MessagePort};

use crate::error::{Failure, get};

/// A larger frame is not taken in.
pub const MAX_FRAME_BYTES: u32 = 128 << 20;

/// One end of a channel: a `MessagePort`, or anything with its methods.
pub struct Port {
    port: MessagePort,
    _received: Closure<dyn Fn(MessageEvent)>,
    _garbled: Closure<dyn Fn()>,
}

impl Port {
    /// Listens on `port`; `receive` gets each frame, and `None` for what is no frame.
    pub fn open(
        port: JsValue,
        receive: impl Fn(Option<Bytes>) + Clone + 'static,
    ) -> Result<Self, Failure> {
        if !has_method(&port, "postMessage") {
            return Err(Failure::argument("a port must be a MessagePort"));
        }
        let port: MessagePort = port.unchecked_into();
        let garbled = receive.clone();
        let received = Closure::new(move |event: MessageEvent| receive(frame(event.data())));
        let garbled = Closure::new(move || garbled(None));
        port.set_onmessage(Some(JsCast::unchecked_ref(AsRef::<JsValue>::as_ref(
            &received,
        ))));
        port.set_onmessageerror(Some(JsCast::unchecked_ref(AsRef::<JsValue>::as_ref(
            &garbled,
        ))));
        if has_method(&port, "start") {
            port.start();
        }
        Ok(Self {
            port,
            _received: received,
            _garbled: garbled,
        })
    }

    /// A handle that sends, for use when the owner of this port is not borrowed.
    pub fn sender(&self) -> Sender {
        Sender(self.port.clone())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.set_onmessageerror(None);
        if has_method(&self.port, "close") {
            self.port.close();
        }
    }
}

/// Sends frames to the other end.
pub struct Sender(MessagePort);

impl Sender {
    /// Sends one frame. Nobody is told when it does not arrive.
    pub fn send(&self, frame: &[u8]) {
        let buffer = Uint8Array::from(frame).buffer();
        let _ = self
            .0
            .post_message_with_transferable(&buffer, &Array::of1(&buffer));
    }
}

fn frame(data: JsValue) -> Option<Bytes> {
    let buffer: ArrayBuffer = data.dyn_into().ok()?;
    (buffer.byte_length() <= MAX_FRAME_BYTES).then(|| Uint8Array::new(&buffer).to_vec().into())
}

fn has_method(object: &JsValue, name: &str) -> bool {
    get(object, name).is_some_and(|it| it.is_function())
}
