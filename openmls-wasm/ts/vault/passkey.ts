/**
 * Passkeys by the PRF extension of WebAuthn: the authenticator computes a secret that nothing stores.
 *
 * They are to be called on the page, in the handler of a click; what they return is handed to `vault.unlock`, of a client in a
 * worker too.
 */

import { CoreCryptoError, messageOf } from '../errors.js';
import { random, type PasskeyUnlock } from './unlock.js';

/** What a new passkey is made with. */
export interface CreatePasskeyOptions {
  /** Name of the database. */
  readonly name: string;
  /** What the browser shows of the user. */
  readonly userName: string;
  /** What the browser shows of the site; default: its host. */
  readonly siteName?: string | undefined;
}

/** Which passkey is used. */
export interface UsePasskeyOptions {
  /** Name of the database. */
  readonly name: string;
  /** The credentials of the vault, from `vaultInfo`; default: the browser offers those of the site. */
  readonly credentialIds?: readonly Uint8Array[] | undefined;
}

/**
 * Makes a passkey, to add it to a vault.
 * @throws CoreCryptoError `passkey-unavailable`
 */
export async function createPasskey({ name, userName, siteName }: CreatePasskeyOptions): Promise<PasskeyUnlock> {
  const created = await ask(() =>
    navigator.credentials.create({
      publicKey: {
        challenge: random(32),
        rp: { name: siteName ?? location.hostname },
        user: { id: random(16), name: userName, displayName: userName },
        pubKeyCredParams: [
          { type: 'public-key', alg: -7 },
          { type: 'public-key', alg: -257 },
        ],
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        extensions: { prf: { eval: { first: saltFor(name) } } },
      },
    }),
  );
  const credentialId = new Uint8Array(created.rawId);
  // Many authenticators say at creation only that they can, and want to be asked again.
  return resultOf(created) ?? usePasskey({ name, credentialIds: [credentialId] });
}

/**
 * Asks for a passkey, to unlock a vault with it.
 * @throws CoreCryptoError `passkey-unavailable`
 */
export async function usePasskey({ name, credentialIds }: UsePasskeyOptions): Promise<PasskeyUnlock> {
  const allowCredentials = credentialIds?.map((id) => ({ type: 'public-key' as const, id: id.slice() }));
  const used = await ask(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        userVerification: 'required',
        ...(allowCredentials !== undefined && { allowCredentials }),
        extensions: { prf: { eval: { first: saltFor(name) } } },
      },
    }),
  );
  const unlock = resultOf(used);
  if (unlock === undefined) {
    throw unavailable('the authenticator has no PRF extension');
  }
  return unlock;
}

async function ask(prompt: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let credential: Credential | null;
  try {
    credential = await prompt();
  } catch (error) {
    throw unavailable(messageOf(error), error);
  }
  if (!(credential instanceof PublicKeyCredential)) {
    throw unavailable('the browser returned none');
  }
  return credential;
}

function resultOf(credential: PublicKeyCredential): PasskeyUnlock | undefined {
  const first = credential.getClientExtensionResults().prf?.results?.first;
  if (first === undefined) {
    return undefined;
  }
  const secret = first instanceof ArrayBuffer ? new Uint8Array(first) : new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
  return { kind: 'passkey', credentialId: new Uint8Array(credential.rawId), secret: secret.slice() };
}

function saltFor(name: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`openmls-wasm vault ${name}`);
}

function unavailable(what: string, cause?: unknown): CoreCryptoError {
  return new CoreCryptoError('passkey-unavailable', `no passkey: ${what}; nothing has changed`, { cause });
}
