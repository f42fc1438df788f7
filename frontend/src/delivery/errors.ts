/**
 * What went wrong at the delivery service.
 *
 * `refused`: it answered and said no; asking the same again gives the same answer.
 * `unreachable`: no answer, or one that says nothing about the request (5xx, 429): keep everything and ask again.
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

/** Answers that say nothing about the request itself. */
const transientStatuses = new Set([401, 408, 425, 429]);

export function errorOfAnswer(status: number, body: unknown): DeliveryError {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const code = typeof fields['code'] === 'string' ? fields['code'] : `http-${status}`;
  const message = typeof fields['message'] === 'string' ? fields['message'] : `the delivery service answered ${status}`;
  const kind = status >= 500 || transientStatuses.has(status) ? 'unreachable' : 'refused';
  return new DeliveryError(kind, code, message, status, fields);
}
