//! Compiling in a child process. This binary is both sides: with the hidden argument it is the compiler.

use railhead_model::SystemClock;
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{COMPILE_ARGUMENT, Compiler, Sandbox, SandboxConfig, compile_child_main};
use std::sync::Arc;

fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == COMPILE_ARGUMENT) {
        compile_child_main();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(what_a_child_compiles_loads_here());
    runtime.block_on(a_child_that_cannot_compile_says_so());
}

fn sandbox(compiler: Compiler) -> Arc<Sandbox> {
    let config = SandboxConfig { max_instances: 4, compiler, ..SandboxConfig::default() };
    let egress = Egress::new(EgressPolicy::default(), None).unwrap();
    Sandbox::new(config, Arc::new(egress), Arc::new(SystemClock::new())).unwrap()
}

async fn what_a_child_compiles_loads_here() {
    let sandbox = sandbox(Compiler::Child(std::env::current_exe().unwrap()));
    let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
    assert_eq!(connector.manifest.name, "misbehave");
}

async fn a_child_that_cannot_compile_says_so() {
    let sandbox = sandbox(Compiler::Child("/bin/false".into()));
    let error = sandbox.load(railhead_test_guests::MISBEHAVE).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "compile-failed");
    assert!(error.to_string().contains("exit status: 1"), "{error}");
}
