/** One entry of a group's ordered log. */
export interface LogEntry {
  position: number;
  /** The id under which the sender uploaded it. */
  id: string;
  /** `user/client` of the uploader, as the delivery service knows it. */
  sender: string;
  message: Uint8Array;
}

export interface LogPage {
  entries: LogEntry[];
  more: boolean;
}

export interface WelcomeEntry {
  /** Position in the client's own queue of Welcomes. */
  position: number;
  id: string;
  groupId: Uint8Array;
  /** Position in the group's log of the commit that added the client. */
  groupPosition: number;
  welcome: Uint8Array;
}

export interface RegisteredClient {
  client: string;
  publicKey: Uint8Array;
}

export interface CommitUpload {
  id: string;
  commit: Uint8Array;
  welcome?: Uint8Array;
  /** `user/client` of everyone the commit adds and removes. */
  added: string[];
  removed: string[];
}

/** What the live connection sends after `ready`. */
export type LiveEvent = { type: 'entry'; groupId: Uint8Array; entry: LogEntry } | { type: 'welcome' };

/** What signing in needs from the crypto client. */
export interface Signer {
  readonly user: string;
  readonly client: string;
  readonly publicKey: Uint8Array;
  /** Whether the delivery service has accepted this client before. */
  readonly registered: boolean;
  sign(challenge: Uint8Array): Promise<Uint8Array>;
}
