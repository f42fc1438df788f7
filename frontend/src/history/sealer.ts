import type { HistoryRecordTypes, SealedRecord, StoreName } from './database.ts';

/** The vault of the crypto client: what it seals opens at the same place only, and only while the vault is unlocked. */
export interface HistoryVault {
  sealAppData(place: string, value: Uint8Array): Promise<Uint8Array>;
  openAppData(place: string, sealed: Uint8Array): Promise<Uint8Array>;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();
/** Bytes of a blinded key: enough that two never meet. */
const blindedLength = 16;
const blindingPlace = 'history/meta/seal';

/** Makes the secret that keys are blinded with, sealed. */
export async function makeBlinding(vault: HistoryVault): Promise<Uint8Array> {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const sealed = await vault.sealAppData(blindingPlace, secret);
  secret.fill(0);
  return sealed;
}

/**
 * Seals the records of the history and blinds their keys, which name groups. What stays visible: how many conversations
 * there are and how many lines each has, how long these are, and in which order they came.
 */
export class HistorySealer {
  /** Of conversations only: they are few, and asked for all the time. */
  private readonly conversations = new Map<string, string>();

  private constructor(
    private readonly vault: HistoryVault,
    private readonly key: CryptoKey,
  ) {}

  /** @param blinding from `makeBlinding` */
  static async open(vault: HistoryVault, blinding: Uint8Array): Promise<HistorySealer> {
    const secret = Uint8Array.from(await vault.openAppData(blindingPlace, blinding));
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    secret.fill(0);
    return new HistorySealer(vault, key);
  }

  /** The key under which a record is stored. */
  async blind(store: StoreName, id: string): Promise<string> {
    const known = store === 'conversations' ? this.conversations.get(id) : undefined;
    if (known !== undefined) return known;
    const mac = await crypto.subtle.sign('HMAC', this.key, utf8.encode(`${store}/${id}`));
    const blinded = Array.from(new Uint8Array(mac, 0, blindedLength), (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (store === 'conversations') this.conversations.set(id, blinded);
    return blinded;
  }

  /** Of a conversation that was blinded before. */
  blindedConversation(id: string): string | undefined {
    return this.conversations.get(id);
  }

  async seal<Store extends StoreName>(store: Store, record: HistoryRecordTypes[Store]): Promise<SealedRecord> {
    const id = await this.blind(store, record.id);
    const place = 'order' in record ? { id, conversation: await this.blind('conversations', record.conversation), order: record.order } : { id };
    return { ...place, sealed: await this.vault.sealAppData(placeText(store, place), utf8.encode(JSON.stringify(record))) };
  }

  /** Rejects if it was changed, or is not what was stored at this place. */
  async open<Store extends StoreName>(store: Store, record: SealedRecord): Promise<HistoryRecordTypes[Store]> {
    const opened = await this.vault.openAppData(placeText(store, record), record.sealed);
    const value = JSON.parse(fromUtf8.decode(opened)) as HistoryRecordTypes[Store];
    // The keys of conversations are needed where nobody can wait for them.
    if (store === 'conversations') this.conversations.set(value.id, record.id);
    return value;
  }
}

/** All that is beside the sealed bytes: a line that was moved to another conversation, or to another place in it, does not open. */
function placeText(store: StoreName, { id, conversation, order }: Omit<SealedRecord, 'sealed'>): string {
  return ['history', store, id, ...(conversation === undefined ? [] : [conversation, String(order)])].join('/');
}

export function isSealedRecord(record: object): record is SealedRecord {
  return (record as Partial<SealedRecord>).sealed instanceof Uint8Array;
}
