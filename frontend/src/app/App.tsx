import type { VaultUnlock } from 'openmls-wasm';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { codeOf } from '../sync/context.ts';
import { ActionsContext, type Actions } from './actions.ts';
import { ChatApp } from './ChatApp.tsx';
import { ErrorPage } from './ErrorPage.tsx';
import { SessionContext } from './hooks.ts';
import { LoadingPage } from './LoadingPage.tsx';
import { NameRefusedPage } from './NameRefusedPage.tsx';
import { saveProfile } from './profile.ts';
import { abandonCandidate, type Candidate, type Report } from './session.ts';
import { enter, lockSession, openProfile, renewKey, sealSession, unlockWith, type Locked, type Stage } from './stages.ts';
import { StartPage } from './StartPage.tsx';
import { IdleLock } from './vault/idle-lock.ts';
import { UnlockPage } from './vault/UnlockPage.tsx';

/** React runs effects twice in development; the database must be opened once. */
let opening: Promise<Stage> | undefined;

/** The stage after an attempt to enter, which may have been overtaken or have failed while waiting to be linked. */
function follow(current: Stage, next: Stage, candidate: Candidate): Stage {
  if (current.at === 'start') return next;
  if (!('candidate' in current) || current.candidate !== candidate) return current;
  return current.at === 'name-refused' && next.at === 'unregistered' ? current : next;
}

export function App(): React.JSX.Element {
  const [stage, setStage] = useState<Stage>({ at: 'loading' });

  const report = useCallback<Report>((progress) => {
    setStage((current) => (current.at === 'loading' || current.at === 'locked' ? { ...current, progress } : current));
  }, []);

  useEffect(() => {
    // Not kept: what it leads to is forgotten when the chat is locked.
    opening ??= openProfile(report).finally(() => (opening = undefined));
    void opening.then(setStage);
  }, [report]);

  const go = useCallback(
    (candidate: Candidate) =>
      enter(candidate, report)
        .catch((error: unknown): Stage => ({ at: 'error', code: codeOf(error) ?? 'unknown' }))
        .then((next) => setStage((current) => follow(current, next, candidate))),
    [report],
  );

  const startOver = useCallback(
    (candidate: Candidate) => {
      setStage({ at: 'loading' });
      void abandonCandidate(candidate)
        .then(() => openProfile(report))
        .then(setStage);
    },
    [report],
  );

  const unlock = useCallback(
    async (locked: Locked, how: VaultUnlock) => setStage(await unlockWith(locked, how, report)),
    [report],
  );

  const session = stage.at === 'chat' ? stage.session : undefined;
  const actions = useMemo<Actions | undefined>(() => {
    if (session === undefined) return undefined;
    // The views are gone before anything else is done, and with them what they show.
    const leave = (next: Promise<Stage>): void => {
      setStage({ at: 'loading' });
      document.title = 'Chat';
      void next.then(setStage);
    };
    return {
      lock: () => leave(lockSession(session)),
      renewKey: (how) => leave(renewKey(session, how, report)),
      seal: (how) => leave(sealSession(session, how, report)),
      setProfile: async (profile) => {
        await saveProfile(profile);
        setStage((current) => (current.at === 'chat' ? { at: 'chat', session: { ...current.session, profile } } : current));
      },
    };
  }, [session, report]);

  useEffect(() => {
    if (session === undefined || actions === undefined) return undefined;
    const idle = session.sealed && session.profile.lockAfterMinutes !== undefined ? new IdleLock(session.profile.lockAfterMinutes, actions.lock) : undefined;
    const unlisten = session.client.on('writer-lost', () => {
      session.engine.stop();
      setStage({ at: 'error', code: 'writer-lost' });
    });
    return () => {
      idle?.stop();
      unlisten();
    };
  }, [session, actions]);

  switch (stage.at) {
    case 'loading':
      return <LoadingPage progress={stage.progress} />;
    case 'start':
      return <StartPage profile={stage.profile} opened={stage.opened} onCreated={go} report={report} />;
    case 'locked':
      return <UnlockPage locked={stage.locked} progress={stage.progress} onUnlock={unlock} />;
    case 'name-refused':
      return <NameRefusedPage candidate={stage.candidate} code={stage.code} onRetry={go} onOtherName={startOver} />;
    case 'unregistered':
      return <ErrorPage code="network" onAgain={() => go(stage.candidate)} />;
    case 'chat':
      return (
        <SessionContext value={stage.session}>
          <ActionsContext value={actions}>
            <ChatApp />
          </ActionsContext>
        </SessionContext>
      );
    case 'error':
      // A fresh page, for what failed may be half open in this one.
      return <ErrorPage code={stage.code} onAgain={() => location.reload()} />;
  }
}
