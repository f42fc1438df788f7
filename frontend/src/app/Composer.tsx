import { ActionIcon, Text, Textarea } from '@mantine/core';
import { IconSend2 } from '@tabler/icons-react';
import { useState, type KeyboardEvent } from 'react';
import { maxTextBytes, textBytes } from '../history/payload.ts';
import styles from './conversation.module.css';
import { draftOf, setDraft } from './drafts.ts';
import { useSession } from './hooks.ts';

/** From here on the counter shows. */
const nearLimit = maxTextBytes * 0.9;

export function Composer({ conversation }: { conversation: string }): React.JSX.Element {
  const { engine } = useSession();
  const [text, setText] = useState(draftOf(conversation));
  const size = textBytes(text);
  const tooLong = size > maxTextBytes;
  const empty = text.trim() === '';

  const change = (next: string): void => {
    setDraft(conversation, next);
    setText(next);
  };

  const send = (): void => {
    if (empty || tooLong) return;
    void engine.sendText(conversation, text.trim());
    change('');
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    // Enter also confirms what an input method composes: not a wish to send.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className={styles.composerText}>
        <Textarea
          aria-label="Message"
          placeholder="Message"
          value={text}
          onChange={(event) => change(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          autosize
          minRows={1}
          maxRows={7}
          radius="lg"
          autoFocus={matchMedia('(hover: hover)').matches}
          error={tooLong}
          enterKeyHint="send"
          autoComplete="off"
          data-testid="composer-input"
        />
        {size > nearLimit && (
          <Text size="xs" c={tooLong ? 'red' : 'dimmed'} role="status" mt={2} data-testid="composer-counter">
            {tooLong
              ? `Too long by ${(size - maxTextBytes).toLocaleString()} bytes`
              : `${(maxTextBytes - size).toLocaleString()} bytes left`}
          </Text>
        )}
      </div>
      <ActionIcon type="submit" size={36} radius="xl" disabled={empty || tooLong} aria-label="Send" data-testid="send-button">
        <IconSend2 size={20} aria-hidden />
      </ActionIcon>
    </form>
  );
}
