import { ActionIcon, Avatar, Text, Title, Tooltip } from '@mantine/core';
import { IconArrowLeft, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import type { Conversation } from '../history/types.ts';
import chat from './chat.module.css';
import { Composer } from './Composer.tsx';
import styles from './conversation.module.css';
import { useIntentions, useSession, useStatus } from './hooks.ts';
import { MembersDrawer } from './MembersDrawer.tsx';
import { MessageLog } from './MessageLog.tsx';
import { titleOf, usersOf } from './naming.ts';
import { listNames } from './texts.ts';

const readOnlyTexts = {
  leaving: 'You are leaving. The conversation is read-only; the others see you go as soon as one of them is online.',
  left: 'You left this conversation. What was said stays on this device.',
  removed: 'You were removed from this conversation. What was said stays on this device.',
  damaged: 'The keys of this conversation were damaged and have been set aside. To write here again, ask somebody in it to add you anew: under Members, below your name.',
  inert: 'This conversation came out of a backup, which has no keys. This device joins it anew as soon as the server is reached; until then it can only be read.',
  lost: 'This conversation came out of a backup, which has no keys, and the server has nothing to join it by. What was said stays here to read. To write here again, ask somebody in it to add you anew: under Members, below your name.',
} as const;

export function ConversationView({ conversation, onBack }: { conversation: Conversation; onBack: () => void }): React.JSX.Element {
  const { own } = useSession();
  const [members, setMembers] = useState(false);
  const intentions = useIntentions(conversation.id);
  const title = titleOf(conversation, own.user);
  const inviting = (intentions ?? []).filter((intention) => intention.kind === 'add' && intention.failure === undefined);
  const failed = conversation.standing === 'member' && (intentions ?? []).some((intention) => intention.failure !== undefined);
  const status = useStatus();

  return (
    <>
      <header className={chat.bar}>
        <ActionIcon variant="subtle" color="gray" size="lg" className={chat.back ?? ''} onClick={onBack} aria-label="Back to the list" data-testid="back-button">
          <IconArrowLeft size={20} aria-hidden />
        </ActionIcon>
        <Avatar name={title} color="initials" aria-hidden />
        <div className={chat.barText}>
          <Title order={2} size="h5" className={styles.heading ?? ''} title={title} data-testid="conversation-title">
            {title}
          </Title>
          <Text size="xs" c="dimmed" truncate data-testid="conversation-members">
            {status !== 'online' && (
              <span className={chat.narrow} data-testid="conversation-connection">
                {status === 'offline' ? 'Offline · ' : 'Connecting… · '}
              </span>
            )}
            {subtitle(conversation, own.user, inviting.length)}
          </Text>
        </div>
        <Tooltip label="Members">
          <ActionIcon
            variant="subtle"
            color={failed ? 'red' : 'gray'}
            size="lg"
            onClick={() => setMembers(true)}
            aria-label={failed ? 'Members (an invitation failed)' : 'Members'}
            data-testid="members-button"
          >
            <IconUsers size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </header>
      <MessageLog conversation={conversation} onInvite={() => setMembers(true)} />
      {conversation.standing === 'member' ? (
        <Composer conversation={conversation.id} />
      ) : (
        <Text className={styles.readOnly ?? ''} size="sm" c="dimmed" role="status" data-testid="read-only" data-standing={conversation.standing}>
          {readOnlyTexts[conversation.standing]}
        </Text>
      )}
      <MembersDrawer opened={members} onClose={() => setMembers(false)} conversation={conversation} intentions={intentions ?? []} />
    </>
  );
}

function subtitle({ members }: Conversation, ownUser: string, inviting: number): string {
  const others = usersOf(members).map(({ user }) => user).filter((user) => user !== ownUser);
  const people = others.length === 0 ? 'Only you' : `You, ${listNames(others, 4)}`;
  return inviting === 0 ? people : `${people} · inviting ${inviting}`;
}
