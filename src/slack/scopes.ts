/** What the app must be allowed, each with what for; as the manifest asks for it. */
export const SCOPES = {
  commands: 'to take /challenge',
  'chat:write': 'to post the messages and keep them up to date',
  'chat:write.public': 'to post to the channel for results without being invited',
  'im:write': 'to open a conversation with a person',
  'im:history': 'to find a message again whose posting was cut off, so that it is not posted twice',
  'users:read': 'to tell people from bots and deactivated accounts',
  'users:read.email': 'to find people by their e-mail address, and to know who signs in',
} as const;

export const MANIFEST_SCOPES = Object.keys(SCOPES);
