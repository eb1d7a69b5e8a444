// The sign-in page and the account page. No inline script, no markup made from text.
'use strict';

const by = (id) => document.getElementById(id);
const say = (text) => { by('said').textContent = text; };
const fields = (form) => Object.fromEntries(new FormData(form));
const fromText = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

async function ask(method, path, body) {
  const request = { method, headers: {}, credentials: 'same-origin', redirect: 'error' };
  if (body !== undefined) {
    request.headers['content-type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  const response = await fetch(path, request);
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw Object.assign(new Error(answer.detail || 'that did not work'), { status: response.status });
  return answer;
}

function on(id, event, act) {
  by(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    say('');
    try { await act(happened.target); } catch (error) { say(error.message); }
  });
}

function done(answer) {
  if (!answer.second_factor) { location.assign('/account'); return; }
  by('passphrase').hidden = true;
  by('code').hidden = !answer.second_factor.code;
  if (!answer.second_factor.code) say('Use your passkey now.');
}

function login() {
  on('passphrase', 'submit', async (form) => done(await ask('POST', '/login/passphrase', fields(form))));
  on('code', 'submit', async (form) => done(await ask('POST', '/login/code', fields(form))));
  on('invitation', 'submit', async (form) => done(await ask('POST', '/login/invitation', fields(form))));
  on('passkey', 'click', async () => {
    const asked = await ask('POST', '/login/passkey/challenge', {});
    const shown = await navigator.credentials.get({ publicKey: {
      challenge: fromText(asked.challenge), rpId: asked.rp_id, userVerification: 'required', timeout: 120000 } });
    done(await ask('POST', '/login/passkey', {
      id: toText(shown.rawId),
      client_data: toText(shown.response.clientDataJSON),
      authenticator_data: toText(shown.response.authenticatorData),
      signature: toText(shown.response.signature) }));
  });
}

// A plainer sentence for one refusal.
const instead = (status, text) => (error) => { throw error.status === status ? new Error(text) : error; };
const until = (grant) => new Date(grant.right.until).toLocaleString();

function list(id, texts) {
  by(id).replaceChildren(...texts.map(([text, act, name = 'Remove']) => {
    const item = document.createElement('li');
    item.textContent = text + ' ';
    if (act) {
      const button = document.createElement('button');
      button.textContent = name;
      button.addEventListener('click', () => act().then(show).catch((error) => say(error.message)));
      item.append(button);
    }
    return item;
  }));
}

async function showGrants() {
  const own = await ask('GET', '/account/v1/grants');
  by('emergencies').hidden = !own.may_break_glass;
  by('shares').hidden = !own.may_share;
  const end = (grant) => () => ask('DELETE', '/account/v1/grants/' + encodeURIComponent(grant.id));
  const patients = (grant) => grant.right.scope.patient_ids.join(', ');
  const studies = (grant) => grant.right.scope.studies.join(', ');
  list('grants', [
    ...own.emergencies.map((grant) => [`Emergency: patient ${patients(grant)}, until ${until(grant)}. `
      + `Your reason: ${grant.ground['break-glass'].reason}`, end(grant), 'End now']),
    ...own.given.map((grant) => [`You share study ${studies(grant)} with ${grant.user}, until ${until(grant)}.`, end(grant), 'End now']),
    ...own.received.map((grant) => [`${grant.ground.share.by} shares study ${studies(grant)} with you, until ${until(grant)}, `
      + 'or until they or the privacy officer end it.'])]);
  by('for-a-time').hidden = !by('grants').children.length;
}

let ends;
async function show() {
  const account = await ask('GET', '/account/v1');
  by('due').hidden = !account.second_factor_due;
  const current = account.sessions.find((session) => session.current);
  const facts = [['User', `${account.display} (${account.name})`], ['May', account.rights.join('; ') || 'nothing yet'],
    ['Signed in until', `${current.ends}, or ${account.idle_seconds / 60} minutes without use`],
    ['One-time codes', account.totp ? 'enrolled' : 'not enrolled'], ['Recovery codes left', account.recovery_codes]];
  by('who').replaceChildren(...facts.flatMap(([term, text]) => {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
    dt.textContent = term;
    dd.textContent = text;
    return [dt, dd];
  }));
  list('passkeys', account.passkeys.map(([id, name]) => [name, async () => {
    await ask('DELETE', '/account/v1/passkeys/' + encodeURIComponent(id)); }]));
  list('sessions', account.sessions.map((session) =>
    [`since ${session.began} from ${session.network} by ${session.factors.join(', ')}${session.current ? ' (this one)' : ''}`]));
  clearTimeout(ends);
  ends = setTimeout(() => location.assign('/login'),
    Math.min(account.idle_seconds * 1000 + 1000, Date.parse(current.ends) - Date.now()));
  await showGrants();
}

async function changed(answer) {
  if (answer.recovery_codes.length) by('recovery').textContent = answer.recovery_codes.join('\n');
  await show();
}

function account() {
  let ticket;
  on('totp-begin', 'click', async () => {
    const begun = await ask('POST', '/account/v1/totp', {});
    ticket = begun.ticket;
    by('totp-secret').textContent = begun.secret;
    by('totp').hidden = false;
  });
  on('totp', 'submit', async (form) => {
    await changed(await ask('POST', '/account/v1/totp/confirm', { ticket, ...fields(form) }));
    form.hidden = true;
  });
  on('new-passkey', 'submit', async (form) => {
    const asked = await ask('POST', '/account/v1/passkeys/challenge', {});
    const made = await navigator.credentials.create({ publicKey: {
      challenge: fromText(asked.challenge), rp: { id: asked.rp_id, name: 'Leadglass' }, timeout: 120000,
      user: { id: await crypto.subtle.digest('SHA-256', new TextEncoder().encode(asked.user)), name: asked.user, displayName: asked.user },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })), attestation: 'none',
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' } } });
    await changed(await ask('POST', '/account/v1/passkeys', {
      ticket: asked.ticket, ...fields(form),
      client_data: toText(made.response.clientDataJSON),
      authenticator_data: toText(made.response.getAuthenticatorData()) }));
  });
  on('emergency', 'submit', async (form) => {
    const { minutes, ...asked } = fields(form);
    const grant = await ask('POST', '/admin/v1/emergencies', { ...asked, minutes: Number(minutes) })
      .catch(instead(403, 'You may not take a patient in an emergency.'));
    form.reset();
    await show();
    say(`Patient ${asked.patient_id} is open to you until ${until(grant)}. The privacy officer is told.`);
  });
  on('share', 'submit', async (form) => {
    const { until: moment, ...asked } = fields(form);
    const minutes = Math.floor((new Date(moment) - Date.now()) / 60000);
    if (!(minutes >= 1)) throw new Error('That moment is over: choose a later one.');
    const grant = await ask('POST', '/admin/v1/shares', { ...asked, minutes })
      .catch(instead(403, 'You may not share studies.'))
      .catch(instead(404, 'There is no such study that you see the whole of, or nobody of that user name.'));
    form.reset();
    await show();
    say(`${grant.user} may see study ${asked.study} until ${until(grant)}.`);
  });
  on('change', 'submit', async (form) => {
    await changed(await ask('POST', '/account/v1/passphrase', fields(form)));
    form.reset();
    say('The passphrase is changed; all other sessions have ended.');
  });
  on('others', 'click', async () => { await ask('DELETE', '/account/v1/sessions'); await show(); });
  on('logout', 'click', async () => { await ask('POST', '/logout', {}); location.assign('/login'); });
  show().catch((error) => (error.status === 401 ? location.assign('/login') : say(error.message)));
}

document.body.dataset.page === 'login' ? login() : account();
