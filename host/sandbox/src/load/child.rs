//! Compilation in a child process: component in on its standard input, image out on its standard output.

use super::LoadError;
use crate::{engine, platform};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// The hidden argument that makes the host's binary a compiler: it must call [`compile_child_main`] and nothing else.
pub const COMPILE_ARGUMENT: &str = "compile-component";

/// CPU time of one compilation. The largest guests that we know take 8 s.
const CPU: Duration = Duration::from_secs(60);
/// Wall time of one compilation, for a machine that is busy.
const WALL: Duration = Duration::from_secs(180);
/// Address space of the child.
const MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes of an image: native code is some three times a component.
const MAX_IMAGE: u64 = 256 * 1024 * 1024;
/// Bytes of the child's words that are kept.
const MAX_WORDS: u64 = 4 * 1024;

/// What the child process does: never returns.
///
/// Reads a component, writes its image, exits with 0; or writes why not to standard error and exits with 1.
pub fn compile_child_main() -> ! {
    let code = match compile_standard_input() {
        Ok(()) => 0,
        Err(error) => {
            // The parent reads it; if it is gone, nobody is left to tell.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            1
        }
    };
    std::process::exit(code)
}

fn compile_standard_input() -> wasmtime::Result<()> {
    platform::confine(CPU, MEMORY)?;
    let mut component = Vec::new();
    let most = u64::try_from(super::inspect::MAX_COMPONENT)?;
    std::io::stdin().lock().take(most).read_to_end(&mut component)?;
    let image = engine::compiling()?.precompile_component(&component)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&image)?;
    out.flush()?;
    Ok(())
}

/// Compiles in a child that runs `program`.
pub(super) async fn compile(program: &Path, component: &[u8]) -> Result<Vec<u8>, LoadError> {
    let failed = |error: std::io::Error| LoadError::Compile(format!("the compiler cannot be run: {error}"));
    let mut child = Command::new(program)
        .arg(COMPILE_ARGUMENT)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    match tokio::time::timeout(WALL, talk(&mut child, component)).await {
        Ok(answer) => answer.map_err(failed)?,
        Err(_) => Err(LoadError::Compile(format!("compiling took longer than {} s", WALL.as_secs()))),
    }
}

async fn talk(child: &mut Child, component: &[u8]) -> std::io::Result<Result<Vec<u8>, LoadError>> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(std::io::Error::other("its streams are missing"));
    };
    let write = async move {
        // A child that died early closes its end: its words say more than this error would.
        let _ = stdin.write_all(component).await;
        drop(stdin);
    };
    let (mut image, mut words) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (stdout.take(MAX_IMAGE), stderr.take(MAX_WORDS));
    let read = async { tokio::try_join!(stdout.read_to_end(&mut image), stderr.read_to_end(&mut words)) };
    let ((), read) = tokio::join!(write, read);
    read?;
    let status = child.wait().await?;
    if status.success() && !image.is_empty() {
        return Ok(Ok(image));
    }
    let words = crate::adapter::presentable(String::from_utf8_lossy(&words).trim());
    let words = if words.is_empty() { format!("the compiler ended with {status}") } else { words };
    Ok(Err(LoadError::Compile(words)))
}
