/** What an app may ask of a group passes as it is, without what it does not say; anything else is `invalid-argument` before wasm sees it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommitRequest, Extension, GroupOptions, GroupSettings, ProposalRequest } from 'openmls-wasm';

/** Not part of what the package exports. */
const check: typeof import('../dist/group-arguments.js') = await import(
  new URL('../../dist/group-arguments.js', import.meta.url).href
);
const bytes = new Uint8Array([1, 2]);
const extensions: readonly Extension[] = [
  { kind: 'required-capabilities', extensionTypes: [0xf001], proposalTypes: [], credentialTypes: [1, 2] },
  { kind: 'external-senders', senders: [{ identity: bytes, certificates: [], signatureKey: bytes }] },
  { kind: 'other', extensionType: 0xf001, data: bytes },
];
const proposals: readonly ProposalRequest[] = [
  { kind: 'add', keyPackage: bytes },
  { kind: 'remove', leafIndex: 0xffffffff },
  { kind: 'update', credential: { kind: 'basic', identity: bytes }, newSignatureKey: true, extensions, capabilities: { extensions: [1], proposals: [] } },
  { kind: 'self-remove' },
  { kind: 'external-psk', pskId: bytes },
  { kind: 'resumption-psk', epoch: 0xffff_ffff_ffff_ffffn },
  { kind: 'group-context-extensions', extensions },
  { kind: 'app-ephemeral', componentId: 7, data: bytes },
  { kind: 'app-defined', proposalType: 0xffff, payload: bytes },
];
const settings: GroupSettings = {
  wireFormatPolicy: 'mixed-plaintext',
  paddingSize: 64,
  maximumForwardDistance: 12,
  outOfOrderTolerance: 3,
  maxPastEpochs: 0xffffffff,
  maxPastEpochAge: 86_400,
  numberOfResumptionPsks: 7,
  useRatchetTreeExtension: false,
};
const commit: CommitRequest = {
  proposals,
  includePending: false,
  forceSelfUpdate: true,
  leaf: { credential: { kind: 'x509', certificates: [bytes] }, newSignatureKey: false, capabilities: { extensions: [], proposals: [] }, extensions },
  authenticatedData: bytes,
};
const options: GroupOptions = {
  settings,
  ciphersuite: 3,
  capabilities: { extensions: [0xf001], proposals: [0xf002] },
  lifetime: 3600,
  extensions,
  leafExtensions: extensions,
};

test('what can be asked for passes', () => {
  for (const proposal of proposals) {
    assert.deepEqual(defined(check.proposal('proposal', proposal)), proposal);
  }
  assert.deepEqual(check.settings('settings', settings), settings);
  assert.deepEqual(check.commit('request', commit), commit);
  assert.deepEqual(check.groupOptions('options', options), options);
  assert.deepEqual(defined(check.commit('request', {})), {});
  assert.deepEqual(defined(check.joinOptions('options', { ratchetTree: bytes })), { ratchetTree: bytes });
  assert.deepEqual(check.proposeOptions({ id: 'id' }), [undefined, 'id']);
});

test('anything else is refused, and the message names it', () => {
  const refused: readonly (readonly [what: string, call: () => unknown])[] = [
    ['proposal must', () => check.proposal('proposal', wrong(undefined))],
    ['proposal.kind', () => check.proposal('proposal', wrong({ kind: 're-init' }))],
    ['proposal.keyPackage', () => check.proposal('proposal', wrong({ kind: 'add', keyPackage: [1] }))],
    ['proposal.leafIndex', () => check.proposal('proposal', { kind: 'remove', leafIndex: -1 })],
    ['proposal.epoch', () => check.proposal('proposal', wrong({ kind: 'resumption-psk', epoch: 1 }))],
    ['proposal.epoch', () => check.proposal('proposal', { kind: 'resumption-psk', epoch: 1n << 64n })],
    ['proposal.proposalType', () => check.proposal('proposal', { kind: 'app-defined', proposalType: 0x10000, payload: bytes })],
    ['proposal.credential', () => check.proposal('proposal', wrong({ kind: 'update', credential: { kind: 'passport' } }))],
    ['proposal.newSignatureKey', () => check.proposal('proposal', wrong({ kind: 'update', newSignatureKey: 'yes' }))],
    ['proposal.extensions must', () => check.proposal('proposal', wrong({ kind: 'group-context-extensions' }))],
    ['request.proposals[1].pskId', () => check.commit('request', wrong({ proposals: [{ kind: 'self-remove' }, { kind: 'external-psk', pskId: 'x' }] }))],
    ['request.leaf must', () => check.commit('request', wrong({ leaf: null }))],
    ['request.includePending', () => check.commit('request', wrong({ includePending: 1 }))],
    ['request.authenticatedData', () => check.commit('request', wrong({ authenticatedData: 'x' }))],
    ['settings.wireFormatPolicy', () => check.settings('settings', wrong({ wireFormatPolicy: 'plain' }))],
    ['settings.paddingSize', () => check.settings('settings', { paddingSize: 1.5 })],
    ['options.extensions[0].kind', () => check.groupOptions('options', wrong({ extensions: [{ kind: 'application-id' }] }))],
    ['options.extensions[0].senders[0].certificates', () => check.groupOptions('options', wrong({ extensions: [{ kind: 'external-senders', senders: [{ identity: bytes, signatureKey: bytes }] }] }))],
    ['options.capabilities.proposals[0]', () => check.groupOptions('options', { capabilities: { proposals: [-1] } })],
    ['options.lifetime', () => check.groupOptions('options', { lifetime: Number.NaN })],
    ['options.ratchetTree', () => check.joinOptions('options', wrong({ ratchetTree: 'oak' }))],
    ['which.olderThan', () => check.pastEpochSecrets('which', { olderThan: -1 })],
    ['options.id', () => check.proposeOptions(wrong({ id: 7 }))],
  ];
  for (const [what, call] of refused) {
    assert.throws(call, (error: { code?: string; message?: string }) => {
      assert.equal(error.code, 'invalid-argument');
      assert.ok(error.message?.includes(what), `${error.message} does not name ${what}`);
      return true;
    });
  }
});

/** What the compiler would not let an app pass. */
function wrong(value: unknown): never {
  return value as never;
}

function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, content]) => content !== undefined));
}
