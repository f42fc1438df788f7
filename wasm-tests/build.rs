//! Copies the built npm package to where the test server can serve it: that serves the folder of
//! this crate and nothing beside it, and the package's modules import each other by relative paths.

use std::{fs, io, path::Path};

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
}

fn copy_scripts(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let (Some("js"), Some(name)) = (
            path.extension().and_then(|end| end.to_str()),
            path.file_name(),
        ) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
