/**
 * What went wrong at the delivery service.
 *
 * `refused`: it answered and said no, with a code of its own; asking the same again gives the same answer.
 * `unreachable`: no answer, or one that says nothing about the request (5xx, 429, whatever a proxy or an extension of
 * the browser put in its place): keep everything and ask again.
 */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';

  constructor(
    readonly kind: 'refused' | 'unreachable',
    /** Kebab-case, from the delivery service's answer; `network` when there was none. */
    readonly code: string,
    message: string,
    readonly status = 0,
    /** The other fields of the answer, such as `epoch` of `past-epoch`. */
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export function isRefused(error: unknown, code?: string): error is DeliveryError {
  return error instanceof DeliveryError && error.kind === 'refused' && (code === undefined || error.code === code);
}

export function isUnreachable(error: unknown): error is DeliveryError {
  return error instanceof DeliveryError && error.kind === 'unreachable';
}

/** The refusals that the delivery service's API documents, by status. Nothing else is given up for. */
const refusals: Readonly<Record<number, readonly string[]>> = {
  400: [
    'external-sender', 'invalid-key-package', 'invalid-name', 'malformed-client', 'malformed-group-id', 'malformed-id', 'malformed-limit', 'malformed-link', 'malformed-message',
    'malformed-public-key', 'malformed-request', 'malformed-user', 'missing-welcome', 'public-application-message', 'removes-itself', 'unexpected-welcome',
    'unknown-client', 'welcome-mismatch', 'wrong-content-type', 'wrong-group', 'wrong-key-package-kind', 'wrong-wire-format',
  ],
  403: ['foreign-key-package', 'not-a-member', 'not-linked'],
  404: ['no-group-info', 'unknown-group', 'unknown-user'],
  409: [
    'already-member', 'client-exists', 'future-epoch', 'group-exists', 'id-conflict', 'key-in-use', 'no-key-package', 'past-epoch', 'removed-not-member', 'state-rolled-back',
    'too-many-clients', 'too-many-groups', 'too-many-key-packages', 'too-many-links', 'too-many-welcomes',
  ],
  413: ['body-too-large', 'group-info-too-large', 'key-package-too-large', 'message-too-large', 'too-many-changes', 'too-many-in-upload', 'welcome-too-large'],
};

export function errorOfAnswer(status: number, body: unknown): DeliveryError {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const code = typeof fields['code'] === 'string' ? fields['code'] : `http-${status}`;
  const message = typeof fields['message'] === 'string' ? fields['message'] : `the delivery service answered ${status}`;
  const kind = refusals[status]?.includes(code) === true ? 'refused' : 'unreachable';
  return new DeliveryError(kind, code, message, status, fields);
}
