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
  /** The link of the upload that was accepted last from this client, as a member; see `sync/healing.ts`. */
  link?: Uint8Array;
  /** The epoch of which a member has published the group info; -1: of none. Unknown if the service does not say. */
  infoEpoch?: number;
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

/** What an upload says about the state that it was made in. */
export interface Link {
  previous?: Uint8Array;
  link: Uint8Array;
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
