//! Starting, stopping, crashing, and serving the frontend.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{decode, encode, Client, Service};

#[test]
fn a_stop_and_a_crash_keep_everything() {
    let mut service = Service::start();
    let mut ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "add");
    let message = ann.encrypt(&mut group, "kept");
    let sent = ann.upload_message(&service, &group, &message, "m1").ok();
    let groups = ann.get(&service, "/v1/groups").ok();
    let log = ann.log(&service, &group, 0);

    for crash in [false, true] {
        if crash {
            service.crash_and_restart();
        } else {
            assert!(service.stop(), "ends well");
            let wal = service.folder.join("db.sqlite-wal");
            assert!(
                std::fs::metadata(wal).map_or(0, |file| file.len()) == 0,
                "WAL is checkpointed"
            );
            service.restart();
        }
        assert_eq!(
            ann.get(&service, "/v1/groups").ok(),
            groups,
            "the session is good too"
        );
        assert_eq!(ann.log(&service, &group, 0), log);
        assert_eq!(
            ann.upload_message(&service, &group, &message, "m1").ok(),
            sent
        );
        assert_eq!(bob.get(&service, "/v1/key-packages").ok()["available"], 4);
    }
    let (mut bobs, position) = bob.join(&service);
    let entry = &bob.log(&service, &group, position)[0];
    assert_eq!(
        bob.process(&mut bobs, &decode(&entry["message"])).unwrap(),
        "kept"
    );
    ann.token = ann.sign_in(&service).ok()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    ann.send(&service, &mut group, "goes on", "m2").ok();
}

#[test]
fn what_has_expired_counts_no_more() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut bob = Client::start(&service, "bob", "phone");
    let laptop = Client::unregistered("bob", "laptop");
    let link = json!({ "publicKey": encode(laptop.keys.public()) });
    bob.post(&service, "/v1/links", link.clone()).ok();
    let database = rusqlite::Connection::open(service.folder.join("db.sqlite")).unwrap();
    let expire = |change| database.execute(change, []).unwrap();

    expire("UPDATE links SET expires = 0");
    laptop.register(&service).refused(403, "not-linked");
    bob.post(&service, "/v1/links", link).ok();
    assert_eq!(laptop.register(&service).status, 201);
    expire("UPDATE key_packages SET not_after = 0");
    assert_eq!(bob.get(&service, "/v1/key-packages").ok()["available"], 0);
    ann.post(&service, "/v1/users/bob/key-packages", json!({}))
        .refused(409, "no-key-package");
    expire("UPDATE sessions SET expires = 0");
    bob.get(&service, "/v1/groups")
        .refused(401, "unknown-token");
    bob.token = bob.sign_in(&service).ok()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    bob.get(&service, "/v1/groups").ok();
}

#[test]
fn no_secret_is_stored_in_clear() {
    let mut service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    ann.send(&service, &mut group, "the plaintext", "m1").ok();
    service.stop();
    let database = std::fs::read(service.folder.join("db.sqlite")).unwrap();
    let holds = |needle: &[u8]| {
        database
            .windows(needle.len())
            .any(|window| window == needle)
    };
    assert!(holds(ann.keys.public()), "the search works");
    assert!(!holds(ann.token.as_bytes()));
    assert!(!holds(&decode(&json!(ann.token))));
    assert!(!holds(b"the plaintext"));
}

#[test]
fn a_database_in_use_or_of_a_newer_format_is_refused_and_left_alone() {
    let mut service = Service::start();
    let database = service.folder.join("db.sqlite");
    let try_start = || {
        let output = Command::new(env!("CARGO_BIN_EXE_delivery-service"))
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(&database)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(try_start().contains("another delivery service has it open"));
    service.stop();
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = std::fs::read(&database).unwrap();
    assert!(try_start().contains("a newer delivery service wrote it"));
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[test]
fn serves_the_frontend_with_its_headers() {
    let folder = std::env::temp_dir().join(format!("ds-static-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    std::fs::write(folder.join("index.html"), "<!doctype html>the app").unwrap();
    std::fs::write(folder.join("assets/x-1.wasm"), "\0asm").unwrap();
    let service = Service::start_with(&["--static", folder.to_str().unwrap()]);
    let header = |parts: &ureq::http::response::Parts, name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    for view in ["/", "/index.html", "/groups/some-group"] {
        let (parts, text) = service.fetch(view, &[]);
        assert_eq!(
            (parts.status.as_u16(), text.as_str()),
            (200, "<!doctype html>the app")
        );
        assert!(header(&parts, "content-type").starts_with("text/html"));
        assert!(header(&parts, "content-security-policy")
            .contains("script-src 'self' 'wasm-unsafe-eval';"));
        assert_eq!(header(&parts, "cross-origin-opener-policy"), "same-origin");
        assert_eq!(
            header(&parts, "cross-origin-embedder-policy"),
            "require-corp"
        );
        assert_eq!(header(&parts, "cache-control"), "no-cache");
    }
    let (parts, text) = service.fetch("/assets/x-1.wasm", &[]);
    assert_eq!(
        (header(&parts, "content-type").as_str(), text.as_str()),
        ("application/wasm", "\0asm")
    );
    assert!(header(&parts, "cache-control").contains("immutable"));
    for missing in [
        "/assets/none.js",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/v1/none",
    ] {
        assert_eq!(service.fetch(missing, &[]).0.status, 404, "{missing}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pages_of_allowed_origins_may_call_it() {
    let service = Service::start_with(&["--allow-origin", "http://localhost:5173"]);
    let allowed = |origin| {
        let (parts, _) = service.fetch("/v1/groups", &[("origin", origin)]);
        assert_eq!(parts.status, 401);
        parts
            .headers
            .get("access-control-allow-origin")
            .map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(
        allowed("http://localhost:5173").as_deref(),
        Some("http://localhost:5173")
    );
    assert_eq!(allowed("http://evil.example"), None);
}
