//! What is checked before a component is compiled: that it is valid, cheap to compile, asks for nothing unknown, and says
//! what it is.

mod manifest;

use super::{LoadError, imports};
use railhead_model::Manifest;
use railhead_model::manifest::SECTION;
use sha2::{Digest as _, Sha256};
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{FunctionBody, Operator, Parser, Payload, Validator, WasmFeatures};

/// Bytes of a component.
pub(super) const MAX_COMPONENT: usize = 16 * 1024 * 1024;
/// Core functions, all modules together.
const MAX_FUNCTIONS: u32 = 60_000;
/// Locals of one function: register allocation grows faster than their number (10,000 took 12 s of CPU).
const MAX_LOCALS: u32 = 2_000;
/// Bytes of one function.
const MAX_FUNCTION: usize = 1024 * 1024;
/// Blocks inside blocks: a `match` becomes as many as it has arms.
const MAX_NESTING: u32 = 2_000;
/// Operators of one function that copy or fill memory or tables: each may take 10 ms, and only loops and calls meet a tick.
const MAX_BULK: u32 = 512;
/// Modules and components in it.
const MAX_MODULES: u32 = 64;
/// Bytes of a manifest.
const MAX_MANIFEST: usize = 256 * 1024;
/// What every connector exports.
const EXPORT: &str = "railhead:plugin/destination@0.1.0";

/// What a component is, as far as can be seen without running it.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The interfaces that it imports, and of each the functions that it calls: `railhead:plugin/http@0.1.0#send`.
    pub imports: Vec<String>,
    /// Its size.
    pub bytes: usize,
    /// Of all of it, in hexadecimal: what an approval binds.
    pub sha256: String,
}

impl Inspected {
    /// True if it asks to see the bytes of secrets.
    #[must_use]
    pub fn is_revealing(&self) -> bool {
        self.imports.iter().any(|import| import.starts_with("railhead:plugin/revealing@"))
    }
}

/// Checks a component as it is checked before it is compiled, and says what it is. Nothing of it runs.
///
/// # Errors
/// What is wrong with it.
pub fn inspect(component: &[u8]) -> Result<Inspected, LoadError> {
    let (manifest, imports) = checked(component)?;
    let sha256 = hex::encode(Sha256::digest(component));
    Ok(Inspected { manifest, imports, bytes: component.len(), sha256 })
}

/// Checks a component and reads its manifest and its imports.
pub(super) fn checked(component: &[u8]) -> Result<(Manifest, Vec<String>), LoadError> {
    if component.len() > MAX_COMPONENT {
        return Err(LoadError::TooLarge { bytes: component.len(), most: MAX_COMPONENT });
    }
    if !Parser::is_component(component) {
        return Err(LoadError::Invalid("it is not a WebAssembly component".to_owned()));
    }
    // Counts come first: validation itself is linear, but there is no need to validate what is refused anyway.
    let found = count(component)?;
    let features =
        WasmFeatures::default() - WasmFeatures::THREADS - WasmFeatures::MULTI_MEMORY - WasmFeatures::MEMORY64;
    let types = Validator::new_with_features(features).validate_all(component).map_err(invalid)?;
    let types = types.as_ref();
    let mut imports = Vec::new();
    for name in &found.imports {
        let entity = types.component_item_for_import(name).map(|item| item.ty);
        check_import(name, entity, &types)?;
        if let Some(ComponentEntityType::Instance(id)) = entity {
            imports.push((*name).to_owned());
            let functions =
                types[id].exports.iter().filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)));
            imports.extend(functions.map(|(function, _)| format!("{name}#{function}")));
        }
    }
    if types.component_item_for_export(EXPORT).is_none() {
        return Err(LoadError::MissingExport(EXPORT.to_owned()));
    }
    Ok((manifest_of(&found.manifests)?, imports))
}

fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid(error.to_string())
}

#[derive(Default)]
struct Found<'a> {
    imports: Vec<&'a str>,
    manifests: Vec<&'a [u8]>,
    functions: u32,
    modules: u32,
}

fn count(component: &[u8]) -> Result<Found<'_>, LoadError> {
    let mut found = Found::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                found.modules += 1;
                bound("modules", found.modules, MAX_MODULES)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.imports.push(import.map_err(invalid)?.name.name);
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => found.manifests.push(section.data()),
            Payload::CodeSectionStart { count, .. } => {
                found.functions = found.functions.saturating_add(count);
                bound("functions", found.functions, MAX_FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => check_function(&body)?,
            _ => {}
        }
    }
    Ok(found)
}

fn bound(what: &str, has: u32, most: u32) -> Result<(), LoadError> {
    if has > most {
        return Err(LoadError::Limit(format!("more than {most} {what}")));
    }
    Ok(())
}

fn check_function(body: &FunctionBody<'_>) -> Result<(), LoadError> {
    let bytes = body.range().len();
    if bytes > MAX_FUNCTION {
        return Err(LoadError::Limit(format!("a function of {bytes} bytes; at most {MAX_FUNCTION}")));
    }
    let mut locals = 0_u32;
    for local in body.get_locals_reader().map_err(invalid)? {
        locals = locals.saturating_add(local.map_err(invalid)?.0);
    }
    bound("locals in one function", locals, MAX_LOCALS)?;
    let (mut depth, mut bulk) = (0_u32, 0_u32);
    for operator in body.get_operators_reader().map_err(invalid)? {
        match operator.map_err(invalid)? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                depth += 1;
                bound("blocks inside each other", depth, MAX_NESTING)?;
            }
            Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. }
            | Operator::TableCopy { .. }
            | Operator::TableFill { .. }
            | Operator::TableInit { .. } => {
                bulk += 1;
                bound("copies of memory in one function", bulk, MAX_BULK)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn check_import(
    name: &str,
    entity: Option<ComponentEntityType>,
    types: &wasmparser::types::TypesRef<'_>,
) -> Result<(), LoadError> {
    if name.starts_with("wasi:") {
        return Ok(());
    }
    let unknown = |name: String| Err(LoadError::UnknownImport(crate::adapter::presentable(&name)));
    let Some(offered) = imports::offered(name) else { return unknown(name.to_owned()) };
    let Some(ComponentEntityType::Instance(id)) = entity else { return unknown(name.to_owned()) };
    match types[id].exports.keys().find(|export| !offered.contains(&export.as_str())) {
        Some(missing) => unknown(format!("{name}#{missing}")),
        None => Ok(()),
    }
}

fn manifest_of(sections: &[&[u8]]) -> Result<Manifest, LoadError> {
    let wrong = |why: String| LoadError::Manifest(why);
    let [section] = sections else {
        return Err(wrong(format!("there are {} custom sections {SECTION}; there must be one", sections.len())));
    };
    if section.len() > MAX_MANIFEST {
        return Err(wrong(format!("it has {} bytes; at most {MAX_MANIFEST}", section.len())));
    }
    let mut reader = serde_json::Deserializer::from_slice(section);
    let manifest: Manifest = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| wrong(crate::adapter::presentable(&format!("{}: {}", error.path(), error.inner()))))?;
    reader.end().map_err(|error| wrong(error.to_string()))?;
    manifest::check(&manifest).map_err(|why| wrong(crate::adapter::presentable(&why)))?;
    Ok(manifest)
}
