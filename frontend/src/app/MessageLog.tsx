import { Button, Text } from '@mantine/core';
import { Fragment, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { ChatLine, Conversation } from '../history/types.ts';
import type { UnsavedMessage } from '../sync/states.ts';
import styles from './conversation.module.css';
import { eventText } from './events.ts';
import { useLines, useSession } from './hooks.ts';
import { MessageBubble, type ShownMessage } from './MessageBubble.tsx';
import { dayText, startOfDay } from './time.ts';

const pageSize = 100;
/** Pixels from the end within which new lines keep the view at the end. */
const nearEnd = 120;

type Shown = { key: string; at: number } & ({ kind: 'event'; text: string } | { kind: 'message'; message: ShownMessage });

export function MessageLog({ conversation, onInvite }: { conversation: Conversation; onInvite: () => void }): React.JSX.Element {
  const session = useSession();
  const [limit, setLimit] = useState(pageSize);
  const loaded = useLines(conversation.id, limit);
  const log = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const heightBefore = useRef<number>(undefined);

  useLayoutEffect(() => {
    const element = log.current;
    if (element === null) return;
    if (heightBefore.current !== undefined) {
      // Earlier lines came in above: what was read stays where it was.
      element.scrollTop += element.scrollHeight - heightBefore.current;
      heightBefore.current = undefined;
    } else if (atEnd.current) {
      element.scrollTop = element.scrollHeight;
    }
  }, [loaded]);

  useEffect(() => {
    const element = log.current;
    if (element === null) return undefined;
    // The keyboard of a phone, or a longer draft, makes the log smaller.
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const shown = [
    ...(loaded?.lines ?? []).map((line) => shownLine(line, session.engine.states.of(line.id), session.engine.states.failure(line.id))),
    ...(loaded?.unsaved ?? []).map((message) => shownUnsaved(message, session.own.user)),
  ];
  const alone = conversation.standing === 'member' && conversation.members.length <= 1;

  return (
    <div
      className={styles.log}
      ref={log}
      role="log"
      aria-label="Messages"
      tabIndex={0}
      data-testid="message-log"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < nearEnd;
      }}
    >
      <div className={styles.lines}>
        {loaded?.more === true && (
          <Button
            variant="subtle"
            size="xs"
            className={styles.center ?? ''}
            data-testid="earlier-button"
            onClick={() => {
              heightBefore.current = log.current?.scrollHeight;
              setLimit((before) => before + pageSize);
            }}
          >
            Show earlier messages
          </Button>
        )}
        {shown.map((line, index) => (
          <Fragment key={line.key}>
            {startOfDay(line.at) !== startOfDay(shown[index - 1]?.at ?? 0) && (
              <Text className={`${styles.center} ${styles.day}`} size="xs" c="dimmed" role="separator" data-testid="day-separator">
                {dayText(line.at)}
              </Text>
            )}
            {line.kind === 'event' ? (
              <Text className={styles.center ?? ''} size="xs" c="dimmed" data-testid="event-line">
                {line.text}
              </Text>
            ) : (
              <MessageBubble message={line.message} first={!continues(line, shown[index - 1])} conversation={conversation} />
            )}
          </Fragment>
        ))}
        {alone && (
          <Button variant="light" size="sm" className={styles.center ?? ''} onClick={onInvite} data-testid="invite-hint">
            Invite people
          </Button>
        )}
      </div>
    </div>
  );
}

/** A message right after one of the same sender needs no name above it. */
function continues(line: Shown, before: Shown | undefined): boolean {
  return (
    line.kind === 'message' &&
    before?.kind === 'message' &&
    before.message.sender === line.message.sender &&
    before.message.own === line.message.own &&
    line.at - before.at < 5 * 60_000 &&
    startOfDay(line.at) === startOfDay(before.at)
  );
}

function shownLine(line: ChatLine, state: ShownMessage['state'], failure: string | undefined): Shown {
  const { id, at } = line;
  if (line.kind === 'event') return { key: id, at, kind: 'event', text: eventText(line.event) };
  const { sender, own, text } = line;
  const message: ShownMessage = {
    id,
    at,
    sender,
    own,
    text,
    state: line.unsent === true ? 'unsent' : line.unsent === 'unknown' ? 'unknown' : state,
    ...(failure === undefined ? {} : { failure }),
  };
  return { key: id, at, kind: 'message', message };
}

function shownUnsaved({ id, at, text, failure }: UnsavedMessage, ownUser: string): Shown {
  const state = failure === undefined ? 'saving' : 'failed';
  return {
    key: id,
    at,
    kind: 'message',
    message: { id, at, sender: ownUser, own: true, text, state, ...(failure === undefined ? {} : { failure }) },
  };
}
