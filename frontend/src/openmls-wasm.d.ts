// Contract types until the package ships its own; to be deleted then.
declare module 'openmls-wasm' {
  export interface Identity { identity: Uint8Array; signaturePublicKey: Uint8Array; ciphersuite: number }
  export interface Member { leafIndex: number; identity: Uint8Array; signatureKey: Uint8Array }
  export interface GroupInfo { groupId: Uint8Array; epoch: bigint; epochAuthenticator: Uint8Array; ownLeafIndex: number; isActive: boolean; hasPendingCommit: boolean; pendingProposals: number; members: Member[] }
  export interface ChangedMember { identity: Uint8Array; signatureKey: Uint8Array }
  export interface OutboxEntry { id: string; sequence: number; kind: 'message' | 'proposal' | 'commit'; groupId: Uint8Array; epoch: bigint; bytes: Uint8Array | null; plaintext?: Uint8Array; welcome?: Uint8Array; added: ChangedMember[]; removed: ChangedMember[] }
  interface ItemBase { id: string; sequence: number; groupId: Uint8Array; position?: number }
  export type InboxItem = ItemBase & (
    | { kind: 'message'; sender: Member; epoch: bigint; plaintext: Uint8Array; authenticatedData: Uint8Array }
    | { kind: 'sent'; epoch: bigint; plaintext: Uint8Array }
    | { kind: 'proposal'; sender: Member; epoch: bigint }
    | { kind: 'commit'; own: boolean; sender: Member | undefined; epoch: bigint; added: ChangedMember[]; removed: Member[]; selfRemoved: boolean; superseded?: string }
    | { kind: 'joined'; epoch: bigint }
    | { kind: 'failed'; code: string });
  export interface KeyPackageInfo { reference: Uint8Array; lastResort: boolean; notBefore: bigint; notAfter: bigint }
  export class CoreCryptoError extends Error { readonly code: string }
  export interface CoreCryptoClientOptions { name: string; durability?: 'strict' | 'relaxed' }
  export class CoreCryptoClient {
    static open(options: CoreCryptoClientOptions): Promise<CoreCryptoClient>;
    state: 'opening' | 'open' | 'closed' | 'failed';
    on(event: 'saved' | 'storage-error' | 'storage-recovered' | 'rolled-back' | 'engine-restarted' | 'writer-lost' | 'inbox' | 'outbox', fn: (detail: any) => void): () => void;
    flush(): Promise<void>;
    close(): Promise<void>;
    createIdentity(identity: Uint8Array, ciphersuite?: number): Promise<Identity>;
    identity(): Promise<Identity | undefined>;
    signWithLabel(label: string, content: Uint8Array): Promise<Uint8Array>;
    generateKeyPackages(count: number): Promise<Uint8Array[]>;
    generateLastResortKeyPackage(): Promise<Uint8Array>;
    keyPackages(): Promise<KeyPackageInfo[]>;
    createGroup(groupId?: Uint8Array): Promise<Uint8Array>;
    listGroups(): Promise<Uint8Array[]>;
    groupInfo(groupId: Uint8Array): Promise<GroupInfo>;
    deleteGroup(groupId: Uint8Array): Promise<void>;
    sendMessage(groupId: Uint8Array, plaintext: Uint8Array, id?: string): Promise<OutboxEntry>;
    addMembers(groupId: Uint8Array, keyPackages: Uint8Array[], id?: string): Promise<OutboxEntry>;
    removeMembers(groupId: Uint8Array, leafIndexes: number[], id?: string): Promise<OutboxEntry>;
    selfUpdate(groupId: Uint8Array, id?: string): Promise<OutboxEntry>;
    commitPendingProposals(groupId: Uint8Array, id?: string): Promise<OutboxEntry>;
    leaveGroup(groupId: Uint8Array, id?: string): Promise<OutboxEntry>;
    outbox(): Promise<OutboxEntry[]>;
    acknowledgeOutbox(id: string): Promise<void>;
    renewOutbox(id: string): Promise<OutboxEntry>;
    rejectCommit(id: string): Promise<void>;
    receiveMessage(m: { bytes: Uint8Array; id?: string; position?: number }): Promise<InboxItem | undefined>;
    receiveWelcome(m: { bytes: Uint8Array; id?: string; position?: number; groupPosition?: number }): Promise<InboxItem | undefined>;
    inbox(): Promise<InboxItem[]>;
    acknowledgeInbox(ids: string[]): Promise<void>;
    deliveryCursor(groupId: Uint8Array): Promise<number | undefined>;
    welcomeCursor(): Promise<number | undefined>;
  }
}
