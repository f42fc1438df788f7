//! Live delivery by WebSocket.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{json, Value};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{connect, Message, WebSocket};

use crate::support::{decode, encode, Client, Service};

struct Live(WebSocket<MaybeTlsStream<TcpStream>>);

impl Live {
    fn connect(service: &Service) -> Self {
        let (socket, _) = connect(format!("ws://{}/v1/live", service.address)).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            // So that a frame that never comes fails the test rather than hanging it.
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
        }
        Self(socket)
    }

    fn start(service: &Service, client: &Client) -> Self {
        let mut live = Self::connect(service);
        live.say(&json!({ "type": "authenticate", "token": client.token }));
        assert_eq!(live.hear(), json!({ "type": "ready" }));
        live
    }

    fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).unwrap();
    }

    fn hear(&mut self) -> Value {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("unexpected frame {other:?}"),
            }
        }
    }

    /// The code that the service closes with.
    fn closed(&mut self) -> u16 {
        match self.0.read() {
            Ok(Message::Close(Some(frame))) => frame.code.into(),
            other => panic!("not closed: {other:?}"),
        }
    }
}

#[test]
fn entries_and_welcomes_arrive_in_order_at_those_they_are_for() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let eve = Client::start(&service, "eve", "phone");
    let mut group = ann.create_group(&service);
    let mut other = eve.create_group(&service);
    let mut anns = Live::start(&service, &ann);
    let mut bobs = Live::start(&service, &bob);
    let mut eves = Live::start(&service, &eve);

    ann.send(&service, &mut group, "alone", "m1").ok();
    ann.invite(&service, &mut group, "bob", "c1");
    for number in 2..=20 {
        ann.send(
            &service,
            &mut group,
            &format!("text {number}"),
            &format!("m{number}"),
        )
        .ok();
    }
    // The sender hears the echo of what it sent, as it is in the log.
    let log = ann.log(&service, &group, 0);
    for entry in &log {
        let mut frame = anns.hear();
        assert_eq!(frame["type"], "entry");
        assert_eq!(decode(&frame["groupId"]), group.group_id().as_slice());
        let fields = frame.as_object_mut().unwrap();
        fields.remove("type");
        fields.remove("groupId");
        assert_eq!(&frame, entry);
    }
    // The new member hears first that it has a Welcome (not the Welcome itself, which can be large), and
    // nothing from before it.
    assert_eq!(bobs.hear(), json!({ "type": "welcome", "position": 1 }));
    let (_, position) = bob.join(&service);
    assert_eq!(position, 2);
    for number in 2..=20 {
        assert_eq!(bobs.hear()["id"], format!("m{number}"));
    }
    let removal = ann.remove(&mut group, "bob/phone", "c2");
    ann.upload_commit(&service, &group, &removal).ok();
    group.merge_pending_commit(&ann.provider).unwrap();
    ann.send(&service, &mut group, "without bob", "m21").ok();
    assert_eq!(
        bobs.hear()["id"],
        "c2",
        "the removed member hears of its removal"
    );
    // Nothing of this came to a stranger, and nothing more to Bob: the next they hear is another group's.
    eve.invite(&service, &mut other, "bob", "c3");
    assert_eq!(eves.hear()["id"], "c3");
    assert_eq!(bobs.hear(), json!({ "type": "welcome", "position": 2 }));
}

#[test]
fn what_is_repeated_or_refused_is_not_announced() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    let mut live = Live::start(&service, &ann);
    let message = ann.encrypt(&mut group, "once");
    for _ in 0..3 {
        ann.upload_message(&service, &group, &message, "m1").ok();
    }
    let other = ann.encrypt(&mut group, "twice");
    ann.upload_message(&service, &group, &other, "m1")
        .refused(409, "id-conflict");
    ann.upload_message(&service, &group, &other, "m2").ok();
    assert_eq!(live.hear()["id"], "m1");
    assert_eq!(live.hear()["id"], "m2");
}

#[test]
fn refuses_strangers_and_anything_that_is_not_an_authentication() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    for first in [
        json!({ "type": "authenticate", "token": encode(&[0; 32]) }),
        json!({ "type": "authenticate" }),
        json!({ "type": "hello", "token": ann.token }),
        json!("authenticate"),
    ] {
        let mut live = Live::connect(&service);
        live.say(&first);
        assert_eq!(live.closed(), 4401);
    }
    let mut live = Live::connect(&service);
    live.0.send(Message::binary(vec![0; 16])).unwrap();
    assert_eq!(live.closed(), 4401);
    ann.get(&service, "/v1/live")
        .refused(400, "not-a-websocket");
}

#[test]
fn a_stop_closes_live_connections_with_a_reason() {
    let mut service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut signed_in = Live::start(&service, &ann);
    let mut waiting = Live::connect(&service);
    assert!(service.stop());
    assert_eq!(signed_in.closed(), 1001);
    assert_eq!(waiting.closed(), 1001);
}
