import { Alert, Avatar, Badge, Button, Divider, Drawer, Group, Loader, Stack, Text } from '@mantine/core';
import { IconAlertCircle, IconDoorExit } from '@tabler/icons-react';
import { useState } from 'react';
import type { Conversation, Intention } from '../history/types.ts';
import { useSession, useStatus } from './hooks.ts';
import { InviteForm } from './InviteForm.tsx';
import { LeaveModal } from './LeaveModal.tsx';
import { usersOf, type UserInGroup } from './naming.ts';
import styles from './panels.module.css';
import { refusalText } from './texts.ts';

interface Props {
  opened: boolean;
  onClose: () => void;
  conversation: Conversation;
  intentions: readonly Intention[];
}

export function MembersDrawer({ opened, onClose, conversation, intentions }: Props): React.JSX.Element {
  const { own, engine } = useSession();
  const [leaving, setLeaving] = useState(false);
  const member = conversation.standing === 'member';
  const users = usersOf(conversation.members);
  return (
    <Drawer opened={opened} onClose={onClose} position="right" title="Members" closeButtonProps={{ 'aria-label': 'Close' }} data-testid="members-panel">
      <Stack>
        {member && <InviteForm conversation={conversation.id} />}
        {intentions.map((intention) => (intention.kind === 'add' ? <Invitation key={intention.id} intention={intention} /> : null))}
        <ul className={styles.members} aria-label="Members">
          {users.map((user) => (
            <Member
              key={user.user}
              member={user}
              own={user.user === own.user}
              ownClient={own.client}
              onAnew={member ? () => void engine.addAnew(conversation.id, user.user).catch(() => undefined) : undefined}
            />
          ))}
        </ul>
        {users.length === 0 && (
          <Text size="sm" c="dimmed">
            You are not a member any more.
          </Text>
        )}
        {member && (
          <>
            <Divider />
            <Button
              variant="light"
              color="red"
              leftSection={<IconDoorExit size={18} aria-hidden />}
              onClick={() => setLeaving(true)}
              data-testid="leave-button"
            >
              Leave conversation
            </Button>
          </>
        )}
      </Stack>
      <LeaveModal
        opened={leaving}
        onClose={() => setLeaving(false)}
        onLeft={() => {
          setLeaving(false);
          onClose();
        }}
        conversation={conversation.id}
        alone={conversation.members.length <= 1}
      />
    </Drawer>
  );
}

interface MemberProps {
  member: UserInGroup;
  own: boolean;
  ownClient: string;
  /** Removes the member's other devices and adds them again; undefined: only members may. */
  onAnew: (() => void) | undefined;
}

function Member({ member, own, ownClient, onAnew }: MemberProps): React.JSX.Element {
  const others = member.clients.filter((client) => !own || client !== ownClient);
  const devices = member.clients.length === 1 ? '1 device' : `${member.clients.length} devices`;
  return (
    <li className={styles.member} data-testid="member" data-user={member.user}>
      <Avatar name={member.user} color="initials" aria-hidden />
      <div className={styles.memberText}>
        <Group gap="xs" wrap="nowrap">
          <Text fw={600} className={styles.wrap ?? ''}>
            {member.user}
          </Text>
          {own && (
            <Badge variant="light" className={styles.fixed ?? ''}>
              You
            </Badge>
          )}
        </Group>
        <details>
          <summary className={styles.devices}>{devices}</summary>
          <ul className={styles.deviceList}>
            {member.clients.map((client) => (
              <li key={client} data-testid="member-device">
                <code>{client}</code>
                {own && client === ownClient ? ' (this device)' : ''}
              </li>
            ))}
          </ul>
          {onAnew !== undefined && others.length > 0 && (
            <>
              <Text size="xs" c="dimmed" mt="xs">
                Has a device lost the keys of this conversation? It can be removed and added again, and reads what is said
                from then on.
              </Text>
              <Button size="compact-xs" variant="light" mt={4} onClick={onAnew} data-testid="add-anew-button">
                {own ? 'Add my other devices anew' : 'Add anew'}
              </Button>
            </>
          )}
        </details>
      </div>
    </li>
  );
}

function Invitation({ intention }: { intention: Intention & { kind: 'add' } }): React.JSX.Element {
  const { engine } = useSession();
  const status = useStatus();
  if (intention.failure !== undefined) {
    return (
      <Alert
        color="red"
        role="alert"
        icon={<IconAlertCircle aria-hidden />}
        title={<span className={styles.wrap}>{`“${intention.user}” was not added`}</span>}
        withCloseButton
        closeButtonLabel="Dismiss"
        onClose={() => void engine.dismiss(intention)}
        data-testid="invitation-failed"
        data-code={intention.failure}
      >
        {refusalText(intention.failure)}
      </Alert>
    );
  }
  return (
    <Group gap="sm" wrap="nowrap" role="status" data-testid="invitation-pending">
      <Loader size="xs" />
      <Text size="sm" c="dimmed" className={styles.wrap ?? ''}>
        {status === 'online' ? `Inviting ${intention.user}…` : `${intention.user} will be invited when you are online`}
      </Text>
    </Group>
  );
}
