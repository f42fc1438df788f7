//! The service as a process, and plain HTTP to it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::Answer;

/// A running delivery service with a database of its own, which goes when the test ends.
pub struct Service {
    child: Child,
    pub address: String,
    pub folder: PathBuf,
    arguments: Vec<String>,
    agent: ureq::Agent,
}

impl Service {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("service-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self::start_in(folder, arguments.iter().map(|a| (*a).to_owned()).collect())
    }

    fn start_in(folder: PathBuf, arguments: Vec<String>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_delivery-service"))
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(folder.join("db.sqlite"))
            .args(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("unexpected first line {line:?}"))
            .to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            child,
            address,
            folder,
            arguments,
            agent,
        }
    }

    /// Sends SIGTERM and waits. Returns whether it ended well.
    pub fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success());
        self.child.wait().unwrap().success()
    }

    /// Kills it without warning and starts it anew on the same database.
    pub fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.restart();
    }

    /// Starts it anew on the same database, after it was stopped.
    pub fn restart(&mut self) {
        let folder = std::mem::take(&mut self.folder);
        *self = Self::start_in(folder, self.arguments.clone());
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.raw_request(method, path, token, body)
    }

    /// A request with any body.
    pub fn raw_request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (content_type, body) = body.unwrap_or(("application/json", Vec::new()));
        if !body.is_empty() {
            request = request.header("content-type", content_type);
        }
        let response = self.agent.run(request.body(body).unwrap());
        let mut response = response.unwrap();
        let text = response
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_string()
            .unwrap();
        Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }

    /// A GET that is not about the API: status, headers and text.
    pub fn fetch(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (ureq::http::response::Parts, String) {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, mut body) = request.call().unwrap().into_parts();
        (parts, body.read_to_string().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already; a failing test is to show its own error.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Empty after a restart took the folder over.
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
