import type { CoreCryptoClient } from 'openmls-wasm';
import type { UnsavedMessage } from '../sync/states.ts';

/** What was being written, by conversation, for as long as the page lives and the chat is not locked. */
const drafts = new Map<string, string>();

export function draftOf(conversation: string): string {
  return drafts.get(conversation) ?? '';
}

export function setDraft(conversation: string, text: string): void {
  if (text === '') drafts.delete(conversation);
  else drafts.set(conversation, text);
}

const place = 'chat/unsent';

interface Unsent {
  drafts: [string, string][];
  unsaved: UnsavedMessage[];
}

/**
 * Seals what exists in memory only, and forgets it: so that locking loses nothing and shows nothing. Sealed, it stays in
 * memory until the chat is unlocked.
 */
export async function sealUnsent(client: CoreCryptoClient, unsaved: UnsavedMessage[]): Promise<Uint8Array | undefined> {
  const unsent: Unsent = { drafts: [...drafts], unsaved };
  if (unsent.drafts.length + unsaved.length === 0) return undefined;
  const sealed = await client.sealAppData(place, new TextEncoder().encode(JSON.stringify(unsent)));
  drafts.clear();
  return sealed;
}

/** Puts the drafts back. Returns the messages that were not saved. */
export async function openUnsent(client: CoreCryptoClient, sealed: Uint8Array): Promise<UnsavedMessage[]> {
  const unsent = JSON.parse(new TextDecoder().decode(await client.openAppData(place, sealed))) as Unsent;
  for (const [conversation, text] of unsent.drafts) drafts.set(conversation, text);
  return unsent.unsaved;
}
