/** What a client says of itself. */

/** `locked`: by `lock`, until `unlock`. `failed`: opening failed, or the database was taken over; open a new client. */
export type ClientState = 'opening' | 'open' | 'locked' | 'closed' | 'failed';
