//! Asks for the interface that shows secrets, which nobody granted.

use hostile_kit::{Failure, Given, Hostile, credential};

#[derive(Default)]
struct Revealing;

mod revealing {
    wit_bindgen::generate!({
        path: "../../../../wit/0.1.0",
        inline: "package hostile:revealing; world seeing { import railhead:plugin/revealing@0.1.0; }",
        generate_all,
    });
}

impl Hostile for Revealing {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let secret = unsafe {
            revealing::railhead::plugin::credentials::Credential::from_handle(credential("api_key")?.take_handle())
        };
        Ok(String::from_utf8_lossy(&revealing::railhead::plugin::revealing::reveal(&secret)).into_owned())
    }
}

hostile_kit::hostile!(Revealing);
