//! Copies the built npm package to where the test server can serve it: that serves the folder of
//! this crate and nothing beside it, and the package's modules import each other by relative paths.
//! Compiles the passive-client vectors in, where there are any.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = Path::new("../openmls-wasm");
    for folder in ["dist", "pkg"] {
        let from = package.join(folder);
        println!("cargo::rerun-if-changed={}", from.display());
        if let Err(error) = copy_scripts(&from, &Path::new("generated").join(folder)) {
            // Only running the tests needs the package; checking and linting them does not.
            println!(
                "cargo::warning=the tests need the npm package, run `npm run build`: {}: {error}",
                from.display()
            );
        }
    }
    write_vectors();
}

/// Makes `vectors.rs`, two constants with the vectors that lie beside the repository, not in it.
/// Sets `no_test_vectors` if one of them is missing.
fn write_vectors() {
    println!("cargo::rerun-if-env-changed=MLS_TEST_VECTORS");
    println!("cargo::rustc-check-cfg=cfg(no_test_vectors)");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/test-vectors");
    let folder = env::var_os("MLS_TEST_VECTORS").map_or(beside, PathBuf::from);
    let mut constants = String::new();
    for (name, file) in [
        ("WELCOMES", "passive-client-welcome.json"),
        ("COMMITS", "passive-client-handling-commit.json"),
    ] {
        let path = folder.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let vectors = match path.canonicalize() {
            Ok(path) => format!("include_str!({path:?})"),
            Err(_) => {
                println!("cargo::rustc-cfg=no_test_vectors");
                String::from("\"[]\"")
            }
        };
        constants += &format!("const {name}: &str = {vectors};\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    fs::write(out.join("vectors.rs"), constants).expect("the folder is Cargo's own for this");
}

fn copy_scripts(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_scripts(&path, &to)?;
        } else if path.extension().is_some_and(|end| end == "js") {
            fs::copy(&path, to)?;
        }
    }
    Ok(())
}
