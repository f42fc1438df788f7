//! OpenMLS on top of the store: groups, Welcomes, messages, commits, PSKs.

use openmls::{prelude::*, schedule::PreSharedKeyId};
use openmls_basic_credential::SignatureKeyPair;

use super::{
    party::{assert_in_touch, two_members, Party, CIPHERSUITE},
    types::{Epoch, Group, Opaque},
    New, Subject,
};

pub fn created_group_is_loaded<S: Subject>(new: New<S>) {
    let mut alice = Party::new(new, "alice");
    assert!(alice.find(&GroupId::from_slice(b"group")).is_none());
    let id = alice.create(b"group");
    let authenticator = alice.authenticator(&id);
    alice.reopen();
    assert_eq!(alice.group(&id).group_id(), &id);
    assert_eq!(alice.group(&id).epoch().as_u64(), 0);
    assert_eq!(alice.authenticator(&id), authenticator);
    assert_eq!(alice.members(&id), ["alice"]);
    assert!(alice.find(&GroupId::from_slice(b"another")).is_none());
}

pub fn joining_consumes_the_key_package<S: Subject>(new: New<S>) {
    let (alice, mut bob) = (Party::new(new, "alice"), Party::new(new, "bob"));
    let id = alice.create(b"group");
    let packages = [bob.key_package(), bob.key_package(), bob.key_package()];
    bob.reopen();
    let (_, welcome) = alice.add(&id, &packages[1..2]);
    assert_eq!(bob.try_join(&welcome), Some(id.clone()));
    let held = [0, 1, 2].map(|index: usize| bob.holds(&packages[index]));
    assert_eq!(held, [true, false, true], "key packages after the join");
    bob.reopen();
    assert_eq!(bob.authenticator(&id), alice.authenticator(&id));
    bob.group(&id).delete(bob.storage()).expect("delete");
    assert_eq!(
        bob.try_join(&welcome),
        None,
        "joined twice by one key package"
    );
}

pub fn last_resort_key_package_stays<S: Subject>(new: New<S>) {
    let (alice, mut bob) = (Party::new(new, "alice"), Party::new(new, "bob"));
    let package = bob.build_key_package(KeyPackage::builder().mark_as_last_resort());
    for name in [b"one", b"two"] {
        let id = alice.create(name);
        let (_, welcome) = alice.add(&id, std::slice::from_ref(&package));
        assert_eq!(bob.try_join(&welcome), Some(id));
        bob.reopen();
        assert!(bob.holds(&package));
    }
}

pub fn messages_survive_reopening<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    assert_in_touch(&mut alice, &mut bob, &id);
    let one = alice.encrypt(&id, b"one");
    alice.reopen();
    let two = alice.encrypt(&id, b"two");
    // Out of order, and nothing is opened twice.
    assert_eq!(bob.process(&id, &two), b"two");
    bob.reopen();
    assert_eq!(bob.process(&id, &one), b"one");
    bob.reopen();
    for message in [&one, &two] {
        assert_eq!(bob.try_process(&id, message), None, "opened twice");
    }
}

/// Whether the store holds key pairs of that epoch.
fn has_epoch_keys<S: Subject>(party: &Party<S>, id: &GroupId, epoch: u64) -> bool {
    let leaf = party.group(id).own_leaf_index().u32();
    let group = Group::new(id.as_slice());
    let pairs: Vec<Opaque> = party
        .storage()
        .encryption_epoch_key_pairs(&group, &Epoch(epoch), leaf)
        .expect("read");
    !pairs.is_empty()
}

pub fn self_update_keeps_only_the_new_epoch_keys<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    let mut records = None;
    for _ in 0..4 {
        let commit = bob.self_update(&id);
        bob.reopen();
        bob.merge(&id);
        alice.process(&id, &commit);
        assert_in_touch(&mut alice, &mut bob, &id);
        let epoch = alice.group(&id).epoch().as_u64();
        for party in [&alice, &bob] {
            assert!(has_epoch_keys(party, &id, epoch), "{}", party.name);
            let old = (0..epoch).find(|epoch| has_epoch_keys(party, &id, *epoch));
            assert_eq!(old, None, "{} keeps keys of an old epoch", party.name);
        }
        let left = [&alice, &bob].map(|party| party.storage().records_left());
        assert_eq!(*records.get_or_insert(left), left, "records pile up");
    }
}

pub fn pending_commit_survives_reopening<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    let mut carol = Party::new(new, "carol");
    let packages = [carol.key_package()];
    let (commit, welcome, _) = alice
        .group(&id)
        .add_members(&alice.provider, &alice.signer, &packages)
        .expect("add");
    alice.reopen();
    assert!(alice.group(&id).pending_commit().is_some());
    assert_eq!(alice.members(&id), ["alice", "bob"]);
    alice.merge(&id);
    alice.reopen();
    assert!(alice.group(&id).pending_commit().is_none());
    bob.process(&id, &commit.to_bytes().expect("serialize"));
    carol.try_join(&welcome.to_bytes().expect("serialize"));
    assert_eq!(bob.members(&id), ["alice", "bob", "carol"]);
    assert_in_touch(&mut alice, &mut bob, &id);
    assert_eq!(carol.authenticator(&id), alice.authenticator(&id));
    carol.reopen();
    assert_eq!(carol.members(&id), alice.members(&id));
}

pub fn pending_commit_can_be_cleared<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    alice.self_update(&id);
    alice.reopen();
    let mut group = alice.group(&id);
    group.clear_pending_commit(alice.storage()).expect("clear");
    alice.reopen();
    assert!(alice.group(&id).pending_commit().is_none());
    // Bob's commit for the same epoch is the one that counts.
    let commit = bob.self_update(&id);
    bob.merge(&id);
    alice.process(&id, &commit);
    assert_in_touch(&mut alice, &mut bob, &id);
}

pub fn removed_member_stays_out<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    let leaf = bob.group(&id).own_leaf_index();
    let (commit, _, _) = alice
        .group(&id)
        .remove_members(&alice.provider, &alice.signer, &[leaf])
        .expect("remove");
    alice.merge(&id);
    bob.process(&id, &commit.to_bytes().expect("serialize"));
    alice.reopen();
    bob.reopen();
    assert!(!bob.group(&id).is_active());
    assert!(alice.group(&id).is_active());
    assert_eq!(alice.members(&id), ["alice"]);
}

pub fn groups_do_not_mix<S: Subject>(new: New<S>) {
    let (mut alice, mut bob) = (Party::new(new, "alice"), Party::new(new, "bob"));
    // The first id begins the second, and both begin the third.
    let names: [&[u8]; 3] = [b"group", b"group and", b"group and more"];
    let ids = names.map(|name| alice.create(name));
    for id in &ids {
        let (_, welcome) = alice.add(id, &[bob.key_package()]);
        assert_eq!(bob.try_join(&welcome).as_ref(), Some(id));
    }
    let mut authenticators: Vec<_> = ids.iter().map(|id| alice.authenticator(id)).collect();
    for id in &ids {
        assert_in_touch(&mut alice, &mut bob, id);
        let commit = bob.self_update(id);
        bob.merge(id);
        alice.process(id, &commit);
        authenticators.push(alice.authenticator(id));
    }
    for id in &ids {
        assert_in_touch(&mut alice, &mut bob, id);
    }
    let count = authenticators.len();
    authenticators.sort();
    authenticators.dedup();
    assert_eq!(authenticators.len(), count, "two groups share a state");

    alice
        .group(&ids[0])
        .delete(alice.storage())
        .expect("delete");
    assert!(alice.find(&ids[0]).is_none());
    assert_in_touch(&mut alice, &mut bob, &ids[1]);
    assert_in_touch(&mut alice, &mut bob, &ids[2]);
}

pub fn deleted_group_leaves_nothing<S: Subject>(new: New<S>) {
    let (mut alice, bob, id) = two_members(new, b"group");
    let commit = alice.self_update(&id);
    alice.merge(&id);
    bob.process(&id, &commit);
    let leaf = bob.group(&id).own_leaf_index();
    let (provider, signer) = (&alice.provider, &alice.signer);
    alice
        .group(&id)
        .propose_remove_member(provider, signer, leaf)
        .expect("propose");
    alice.reopen();
    alice.group(&id).delete(alice.storage()).expect("delete");
    assert!(alice.find(&id).is_none());
    // The signature key stays.
    assert_eq!(alice.storage().records_left(), 1);
}

pub fn signature_keys_are_stored_and_deleted<S: Subject>(new: New<S>) {
    let mut alice = Party::new(new, "alice");
    let scheme = CIPHERSUITE.signature_algorithm();
    let another = SignatureKeyPair::new(scheme).expect("keys");
    another.store(alice.storage()).expect("store");
    alice.reopen();
    let stored = |alice: &Party<S>, public: &[u8]| {
        let pair = SignatureKeyPair::read(alice.storage(), public, scheme);
        pair.map(|pair| pair.public().to_vec())
    };
    for public in [alice.signer.public(), another.public()] {
        assert_eq!(stored(&alice, public).as_deref(), Some(public));
    }
    SignatureKeyPair::delete(alice.storage(), another.public(), scheme).expect("delete");
    assert_eq!(stored(&alice, another.public()), None);
    let own = alice.signer.public();
    assert_eq!(stored(&alice, own).as_deref(), Some(own));
}

pub fn external_psk_is_used<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    // The signature key's own bytes as the id of one PSK, and one that must not be taken instead.
    let psk_id = alice.signer.public().to_vec();
    let psk = PreSharedKeyId::external(psk_id.clone(), vec![7; 32]);
    let decoy = PreSharedKeyId::external([&psk_id[..], &[0]].concat(), vec![7; 32]);
    for party in [&mut alice, &mut bob] {
        psk.store(&party.provider, b"a wrong one first")
            .expect("store");
        psk.store(&party.provider, b"the secret").expect("store");
        // Another secret for everyone.
        decoy
            .store(&party.provider, party.name.as_bytes())
            .expect("store");
        party.reopen();
    }
    let mut group = alice.group(&id);
    let (proposal, _) = group
        .propose_pre_shared_key(&alice.provider, &alice.signer, psk.clone())
        .expect("propose");
    bob.process(&id, &proposal.to_bytes().expect("serialize"));
    alice.reopen();
    bob.reopen();
    let commit = bob.commit(&id);
    bob.merge(&id);
    alice.process(&id, &commit);
    assert_in_touch(&mut alice, &mut bob, &id);
}

/// Draft extensions: the exporter tree forgets what it has given out.
pub fn exported_secret_is_given_out_once<S: Subject>(new: New<S>) {
    let (mut alice, bob, id) = two_members(new, b"group");
    let export = |party: &Party<S>, component: u16| {
        let mut group = party.group(&id);
        let crypto = party.provider.crypto();
        group
            .safe_export_secret(crypto, party.storage(), component)
            .ok()
    };
    let secret = export(&alice, 9);
    assert!(secret.is_some());
    assert_eq!(export(&bob, 9), secret);
    alice.reopen();
    assert_eq!(export(&alice, 9), None, "given out twice");
    assert!(export(&alice, 10).is_some());
    // A new epoch has a new tree.
    let commit = alice.self_update(&id);
    alice.merge(&id);
    bob.process(&id, &commit);
    alice.reopen();
    let next = export(&alice, 9);
    assert!(next.is_some() && next != secret);
    assert_eq!(export(&bob, 9), next);
}

pub fn configuration_is_replaced<S: Subject>(new: New<S>) {
    let mut alice = Party::new(new, "alice");
    let id = alice.create(b"group");
    for padding in [16, 256] {
        let config = MlsGroupJoinConfig::builder()
            .padding_size(padding)
            .use_ratchet_tree_extension(true)
            .build();
        let mut group = alice.group(&id);
        group
            .set_configuration(alice.storage(), &config)
            .expect("set");
        alice.reopen();
        assert_eq!(alice.group(&id).configuration(), &config);
    }
}
