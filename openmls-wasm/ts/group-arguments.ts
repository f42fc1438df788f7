/** Checks of what an app passes in for groups, proposals and commits; see `arguments.ts`. */

import { bytes, credential, epoch, flag, integer, invalid, listOfBytes, listOfTypes, object, optionalBytes, optionalText } from './arguments.js';
import type {
  CommitRequest,
  Extension,
  ExternalJoin,
  GroupOptions,
  GroupPageOptions,
  GroupSettings,
  JoinOptions,
  KeyPackageCapabilities,
  LeafUpdate,
  MemberIdentity,
  PastEpochSecrets,
  ProposalRequest,
  ProposalTarget,
  ProposeOptions,
  Reboot,
  WireFormatPolicy,
} from './mls-types.js';

const POLICIES: readonly WireFormatPolicy[] = [
  'pure-ciphertext',
  'pure-plaintext',
  'mixed-ciphertext',
  'mixed-plaintext',
];

// Checks a value that may be undefined.
function optional<T, U>(value: T | undefined, check: (value: T) => U): U | undefined {
  return value === undefined ? undefined : check(value);
}

function list<T>(name: string, values: readonly T[], check: (name: string, value: T) => T): readonly T[] {
  if (!Array.isArray(values)) {
    throw invalid(name, 'an array');
  }
  return values.map((value: T, index) => check(`${name}[${index}]`, value));
}

// A plain copy of settings; undefined where the default holds.
export function settings<T extends Partial<GroupSettings>>(name: string, value: T): T {
  object(name, value);
  const { wireFormatPolicy, useRatchetTreeExtension } = value;
  if (wireFormatPolicy !== undefined && !POLICIES.includes(wireFormatPolicy)) {
    throw invalid(`${name}.wireFormatPolicy`, `one of ${POLICIES.join(', ')}`);
  }
  const count = (key: keyof GroupSettings, number: number | undefined): number | undefined =>
    optional(number, (it) => integer(`${name}.${key}`, it, 0xffffffff));
  return {
    ...value,
    wireFormatPolicy,
    paddingSize: count('paddingSize', value.paddingSize),
    maximumForwardDistance: count('maximumForwardDistance', value.maximumForwardDistance),
    outOfOrderTolerance: count('outOfOrderTolerance', value.outOfOrderTolerance),
    maxPastEpochs: count('maxPastEpochs', value.maxPastEpochs),
    maxPastEpochAge: optional(value.maxPastEpochAge, (it) => integer(`${name}.maxPastEpochAge`, it)),
    numberOfResumptionPsks: count('numberOfResumptionPsks', value.numberOfResumptionPsks),
    useRatchetTreeExtension: optional(useRatchetTreeExtension, (it) => flag(`${name}.useRatchetTreeExtension`, it)),
  };
}

// A plain copy of the app's own types.
export function capabilities(name: string, value: KeyPackageCapabilities): KeyPackageCapabilities {
  object(name, value);
  return {
    extensions: listOfTypes(`${name}.extensions`, value.extensions ?? []),
    proposals: listOfTypes(`${name}.proposals`, value.proposals ?? []),
  };
}

// A plain copy of what a group is created with.
export function groupOptions(name: string, value: GroupOptions): GroupOptions {
  object(name, value);
  return {
    settings: optional(value.settings, (it) => settings(`${name}.settings`, it)),
    ciphersuite: optional(value.ciphersuite, (it) => integer(`${name}.ciphersuite`, it, 0xffff)),
    capabilities: optional(value.capabilities, (it) => capabilities(`${name}.capabilities`, it)),
    lifetime: optional(value.lifetime, (it) => integer(`${name}.lifetime`, it, 0xffffffff)),
    extensions: optional(value.extensions, (it) => list(`${name}.extensions`, it, extension)),
    leafExtensions: optional(value.leafExtensions, (it) => list(`${name}.leafExtensions`, it, extension)),
  };
}

// A plain copy of what a group is joined with.
export function joinOptions(name: string, value: JoinOptions): JoinOptions {
  object(name, value);
  return {
    settings: optional(value.settings, (it) => settings(`${name}.settings`, it)),
    ratchetTree: optionalBytes(`${name}.ratchetTree`, value.ratchetTree),
  };
}

// Which part of a list is wanted.
export function groupPage(name: string, value: GroupPageOptions): { readonly after: Uint8Array | undefined; readonly limit: number } {
  object(name, value);
  return {
    after: optional(value.after, (it) => bytes(`${name}.after`, it)),
    // A part of nothing would be followed by another, for ever.
    limit: Math.max(1, optional(value.limit, (it) => integer(`${name}.limit`, it, 1000)) ?? 100),
  };
}

// A plain copy of which past epochs are meant.
export function pastEpochSecrets(name: string, value: PastEpochSecrets): PastEpochSecrets {
  object(name, value);
  return {
    olderThan: optional(value.olderThan, (it) => integer(`${name}.olderThan`, it)),
    maxPastEpochs: optional(value.maxPastEpochs, (it) => integer(`${name}.maxPastEpochs`, it, 0xffffffff)),
  };
}

// A plain copy of an extension.
export function extension(name: string, value: Extension): Extension {
  object(name, value);
  switch (value.kind) {
    case 'required-capabilities':
      return {
        kind: value.kind,
        extensionTypes: listOfTypes(`${name}.extensionTypes`, value.extensionTypes),
        proposalTypes: listOfTypes(`${name}.proposalTypes`, value.proposalTypes),
        credentialTypes: listOfTypes(`${name}.credentialTypes`, value.credentialTypes),
      };
    case 'external-senders':
      return { kind: value.kind, senders: list(`${name}.senders`, value.senders, party) };
    case 'other':
      return {
        kind: value.kind,
        extensionType: integer(`${name}.extensionType`, value.extensionType, 0xffff),
        data: bytes(`${name}.data`, value.data),
      };
    default:
      throw invalid(`${name}.kind`, 'required-capabilities, external-senders or other');
  }
}

function party(name: string, value: MemberIdentity): MemberIdentity {
  object(name, value);
  return {
    identity: bytes(`${name}.identity`, value.identity),
    certificates: listOfBytes(`${name}.certificates`, value.certificates),
    signatureKey: bytes(`${name}.signatureKey`, value.signatureKey),
  };
}

// A plain copy of what is to change in a leaf.
export function leafUpdate(name: string, value: LeafUpdate): LeafUpdate {
  object(name, value);
  return {
    credential: optional(value.credential, (it) => credential(`${name}.credential`, it)),
    newSignatureKey: optional(value.newSignatureKey, (it) => flag(`${name}.newSignatureKey`, it)),
    capabilities: optional(value.capabilities, (it) => capabilities(`${name}.capabilities`, it)),
    extensions: optional(value.extensions, (it) => list(`${name}.extensions`, it, extension)),
  };
}

// A plain copy of what is proposed.
export function proposal(name: string, value: ProposalRequest): ProposalRequest {
  object(name, value);
  const { kind } = value;
  switch (kind) {
    case 'add':
      return { kind, keyPackage: bytes(`${name}.keyPackage`, value.keyPackage) };
    case 'remove':
      return { kind, leafIndex: integer(`${name}.leafIndex`, value.leafIndex, 0xffffffff) };
    case 'update':
      return { kind, ...leafUpdate(name, value) };
    case 'self-remove':
      return { kind };
    case 'external-psk':
      return { kind, pskId: bytes(`${name}.pskId`, value.pskId) };
    case 'resumption-psk':
      return { kind, epoch: epoch(`${name}.epoch`, value.epoch) };
    case 'group-context-extensions':
      return { kind, extensions: list(`${name}.extensions`, value.extensions, extension) };
    case 'app-ephemeral':
      return {
        kind,
        componentId: integer(`${name}.componentId`, value.componentId, 0xffff),
        data: bytes(`${name}.data`, value.data),
      };
    case 'app-defined':
      return {
        kind,
        proposalType: integer(`${name}.proposalType`, value.proposalType, 0xffff),
        payload: bytes(`${name}.payload`, value.payload),
      };
    default:
      throw invalid(`${name}.kind`, 'a kind of proposal that this client can make');
  }
}

// The authenticated data and the id that a proposal is sent with.
export function proposeOptions(value: ProposeOptions): [Uint8Array | undefined, string | undefined] {
  object('options', value);
  return [optionalBytes('options.authenticatedData', value.authenticatedData), optionalText('options.id', value.id)];
}

// A plain copy of what a commit is to do.
export function commit(name: string, value: CommitRequest): CommitRequest {
  object(name, value);
  return {
    proposals: optional(value.proposals, (it) => list(`${name}.proposals`, it, proposal)),
    includePending: optional(value.includePending, (it) => flag(`${name}.includePending`, it)),
    forceSelfUpdate: optional(value.forceSelfUpdate, (it) => flag(`${name}.forceSelfUpdate`, it)),
    leaf: optional(value.leaf, (it) => leafUpdate(`${name}.leaf`, it)),
    authenticatedData: optionalBytes(`${name}.authenticatedData`, value.authenticatedData),
  };
}

// A plain copy of what an external commit is made of.
export function externalJoin(name: string, value: ExternalJoin): ExternalJoin {
  object(name, value);
  return {
    ratchetTree: optionalBytes(`${name}.ratchetTree`, value.ratchetTree),
    authenticatedData: optionalBytes(`${name}.authenticatedData`, value.authenticatedData),
    externalPsks: optional(value.externalPsks, (it) => listOfBytes(`${name}.externalPsks`, it)),
    selfRemoves: optional(value.selfRemoves, (it) => listOfBytes(`${name}.selfRemoves`, it)),
    settings: optional(value.settings, (it) => settings(`${name}.settings`, it)),
    capabilities: optional(value.capabilities, (it) => capabilities(`${name}.capabilities`, it)),
  };
}

// A plain copy of what a new group is made of.
export function reboot(name: string, value: Reboot): Reboot {
  object(name, value);
  return {
    keyPackages: listOfBytes(`${name}.keyPackages`, value.keyPackages),
    groupId: optionalBytes(`${name}.groupId`, value.groupId),
    extensions: optional(value.extensions, (it) => list(`${name}.extensions`, it, extension)),
    ciphersuite: optional(value.ciphersuite, (it) => integer(`${name}.ciphersuite`, it, 0xffff)),
    externalPsks: optional(value.externalPsks, (it) => listOfBytes(`${name}.externalPsks`, it)),
  };
}

// A plain copy of where a proposal from outside goes.
export function proposalTarget(name: string, value: ProposalTarget): ProposalTarget {
  object(name, value);
  return { groupId: bytes(`${name}.groupId`, value.groupId), epoch: epoch(`${name}.epoch`, value.epoch) };
}

// Plain copies of extensions.
export function extensions(name: string, values: readonly Extension[]): readonly Extension[] {
  return list(name, values, extension);
}
