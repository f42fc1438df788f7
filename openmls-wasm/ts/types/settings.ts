/** What can be chosen for a group. */

import type { KeyPackageCapabilities } from './key-packages.js';
import type { Extension } from './proposals.js';

/**
 * Whether proposals and commits travel encrypted (RFC 9420 §6); application messages always do. `pure`: only what is sent
 * is accepted; `mixed`: both are. To leave by a SelfRemove proposal takes one that sends plaintext.
 */
export type WireFormatPolicy = 'pure-ciphertext' | 'pure-plaintext' | 'mixed-ciphertext' | 'mixed-plaintext';

/** How a group treats its messages on this client; not agreed with the other members. */
export interface GroupSettings {
  /** Whether handshakes are encrypted; default `pure-ciphertext`. */
  readonly wireFormatPolicy: WireFormatPolicy;
  /** Messages are padded to a multiple of this many bytes (RFC 9420 §6.3.1), up to 65,536; 0, the default, for none. */
  readonly paddingSize: number;
  /** How many messages of a sender may be missing before one that arrives; default 1000. */
  readonly maximumForwardDistance: number;
  /** How many generations back a late message of a sender is still decrypted; default 5. */
  readonly outOfOrderTolerance: number;
  /**
   * Of how many past epochs messages that come late can still be read; default 10. The price is forward secrecy: the keys
   * of those messages stay until then. It costs no bytes with a message.
   */
  readonly maxPastEpochs: number;
  /**
   * For how many seconds after the end of an epoch its messages can still be read; default: as long as it is among the
   * last `maxPastEpochs`. Its keys are deleted with the next message or commit that is processed after that time.
   */
  readonly maxPastEpochAge?: number | undefined;
  /** Of how many epochs the resumption PSK is kept (RFC 9420 §8.6), the present one included, where a Welcome was joined by; default 0. */
  readonly numberOfResumptionPsks: number;
  /** Whether a Welcome carries the ratchet tree (RFC 9420 §12.4.3.3); default true. If not, the app must. */
  readonly useRatchetTreeExtension: boolean;
}

/** What a group is created with. */
export interface GroupOptions {
  /** How the group treats its messages here; default those of the client's options. */
  readonly settings?: Partial<GroupSettings> | undefined;
  /** RFC 9420 §17.1; with the signature scheme of the identity's, the default. */
  readonly ciphersuite?: number | undefined;
  /** The app's own types that the leaf of this client lists; what the group requires is added. Default those of the client's options. */
  readonly capabilities?: KeyPackageCapabilities | undefined;
  /** For how many seconds the first leaf is valid: 1 to twelve weeks, the default. */
  readonly lifetime?: number | undefined;
  /** The extensions of the group context: required capabilities, external senders, and those of the app, which must be required. */
  readonly extensions?: readonly Extension[] | undefined;
  /** The extensions of the leaf of this client. */
  readonly leafExtensions?: readonly Extension[] | undefined;
}

/** What a group is joined with. */
export interface JoinOptions {
  /** How the group treats its messages here; default those of the client's options. */
  readonly settings?: Partial<GroupSettings> | undefined;
  /** The ratchet tree (RFC 9420 §12.4.3.3), if the Welcome does not carry it. */
  readonly ratchetTree?: Uint8Array | undefined;
}

/** Which secrets of past epochs are deleted; without either, all of them. */
export interface PastEpochSecrets {
  /** Those of epochs that ended more than this many seconds ago. */
  readonly olderThan?: number | undefined;
  /** All but those of the latest so many past epochs. */
  readonly maxPastEpochs?: number | undefined;
}

/**
 * What `MlsClient` offers for settings.
 * @internal
 */
export interface SettingsApi {
  /** The settings that groups are created and joined with from now on. */
  setGroupSettings(settings: Partial<GroupSettings>): void;
  /** What the app supports beside what this package does. */
  setAppCapabilities(capabilities: KeyPackageCapabilities): void;
  /** Gives a group other settings. */
  configureGroup(groupId: Uint8Array, settings: GroupSettings): void;
  /** Deletes secrets of past epochs. */
  deletePastEpochSecrets(groupId: Uint8Array, which: PastEpochSecrets): void;
}
