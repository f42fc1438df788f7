/**
 * What arrives while a vault is locked, or before it is unlocked: sealed for a key pair whose private key is in the vault.
 *
 * A message of a group names the group in the clear, and the durable queue is there before anybody has typed a passphrase. So
 * an entry is sealed by ECDH with a fresh key pair on P-256, HKDF-SHA-256 and AES-256-GCM; opening it needs the vault. (Whoever
 * writes to the folder can add entries. So can the delivery service: what is in the queue is not trusted.)
 */

import type { IncomingMessage, IncomingWelcome } from '../mls-types.js';
import type { IncomingEntry, SealedIncomingEntry } from '../persister.js';
import { framed, type StoredIntake, type VaultHeader } from './header.js';

const CURVE = { name: 'ECDH', namedCurve: 'P-256' } as const;
const PUBLIC_KEY_LENGTH = 65;

/** Opens what was sealed with {@link sealIncoming}. */
export interface Intake {
  /** @throws DOMException if it was changed, or sealed for another vault */
  open(sealed: SealedIncomingEntry): Promise<IncomingEntry>;
}

/** A key pair for a new vault. */
export async function makeIntake(wrap: (privateKey: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>): Promise<StoredIntake> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(CURVE, true, ['deriveBits']);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey));
  const wrapped = await wrap(pkcs8);
  pkcs8.fill(0);
  return { publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)), wrapped };
}

/** @param pkcs8 the private key; wiped */
export async function openIntake({ id, intake }: VaultHeader, pkcs8: Uint8Array<ArrayBuffer>): Promise<Intake> {
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, CURVE, false, ['deriveBits']);
  pkcs8.fill(0);
  return {
    open: async ({ sealed, attempts }) => {
      const ephemeral = sealed.slice(0, PUBLIC_KEY_LENGTH);
      const key = await sharedKey(privateKey, await importPublic(ephemeral), ephemeral, intake.publicKey, id);
      return decode(new Uint8Array(await crypto.subtle.decrypt(CIPHER, key, sealed.slice(PUBLIC_KEY_LENGTH))), attempts);
    },
  };
}

/** Seals an entry of the durable queue. Needs nothing but the header. */
export async function sealIncoming({ id, intake }: VaultHeader, entry: IncomingEntry): Promise<SealedIncomingEntry> {
  const pair = await crypto.subtle.generateKey(CURVE, false, ['deriveBits']);
  const ephemeral = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const key = await sharedKey(pair.privateKey, await importPublic(intake.publicKey), ephemeral, intake.publicKey, id);
  const body = new Uint8Array(await crypto.subtle.encrypt(CIPHER, key, encode(entry)));
  const sealed = new Uint8Array(PUBLIC_KEY_LENGTH + body.length);
  sealed.set(ephemeral);
  sealed.set(body, PUBLIC_KEY_LENGTH);
  return { kind: 'sealed', attempts: entry.attempts, sealed };
}

// Each key seals one entry only.
const CIPHER = { name: 'AES-GCM', iv: new Uint8Array(12) } as const;

function importPublic(raw: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', raw.slice(), CURVE, false, []);
}

async function sharedKey(
  privateKey: CryptoKey,
  publicKey: CryptoKey,
  ephemeral: Uint8Array,
  recipient: Uint8Array,
  vaultId: Uint8Array,
): Promise<CryptoKey> {
  const secret = await crypto.subtle.deriveBits({ name: 'ECDH', public: publicKey }, privateKey, 256);
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  const info = framed(['openmls-wasm intake', vaultId, ephemeral, recipient]);
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
    base,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  );
}

// The bytes of the message, of the tree, and all else as JSON.
function encode({ kind, message }: IncomingEntry): Uint8Array<ArrayBuffer> {
  const { bytes, ratchetTree, inspectedEpoch, ...rest }: IncomingWelcome = message;
  const fields = { ...rest, kind, inspectedEpoch: inspectedEpoch?.toString(), hasTree: ratchetTree !== undefined };
  return framed([JSON.stringify(fields), bytes, ratchetTree ?? new Uint8Array()]);
}

function decode(framedBytes: Uint8Array<ArrayBuffer>, attempts: number): IncomingEntry {
  const view = new DataView(framedBytes.buffer);
  let at = 0;
  const next = (): Uint8Array => {
    const end = at + 4 + view.getUint32(at);
    const field = framedBytes.slice(at + 4, end);
    at = end;
    return field;
  };
  const { kind, hasTree, inspectedEpoch, ...rest } = JSON.parse(new TextDecoder().decode(next())) as {
    readonly kind: IncomingEntry['kind'];
    readonly hasTree: boolean;
    readonly inspectedEpoch?: string;
  };
  const bytes = next();
  const ratchetTree = next();
  const epoch = inspectedEpoch === undefined ? {} : { inspectedEpoch: BigInt(inspectedEpoch) };
  const message: IncomingMessage = { ...rest, ...epoch, bytes };
  return kind === 'welcome'
    ? { kind, attempts, message: hasTree ? { ...message, ratchetTree } : message }
    : { kind, attempts, message };
}
