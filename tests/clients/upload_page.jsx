// The page of browser.mjs: upload components of @medplum/react as an application has them, against our server.
import { MantineProvider } from '@mantine/core';
import { MedplumClient } from '@medplum/core';
import { AttachmentButton, AttachmentInput } from '@medplum/react';
import { MedplumProvider } from '@medplum/react-hooks';
import { createRoot } from 'react-dom/client';

// What the components report, for browser.mjs to read.
const seen = { started: 0, progress: [], uploaded: [], failed: [], input: [] };
window.seen = seen;

function Page({ medplum, securityContext }) {
  return (
    <MedplumProvider medplum={medplum}>
      <MantineProvider>
        <div id="button">
          <AttachmentButton
            securityContext={securityContext}
            onUpload={(attachment) => seen.uploaded.push(attachment)}
            onUploadStart={() => { seen.started += 1; }}
            onUploadProgress={(e) => seen.progress.push([e.type, e.loaded, e.total])}
            onUploadError={(outcome) => seen.failed.push(outcome)}
          >
            {(props) => <button type="button" {...props}>Upload a file</button>}
          </AttachmentButton>
        </div>
        <div id="input">
          <AttachmentInput
            name="attachment"
            path="Patient.photo"
            securityContext={securityContext}
            onChange={(attachment) => seen.input.push(attachment ?? null)}
          />
        </div>
      </MantineProvider>
    </MedplumProvider>
  );
}

/** Called by browser.mjs. */
window.start = async ({ baseUrl, clientId, clientSecret, securityContext }) => {
  const medplum = new MedplumClient({ baseUrl });
  window.medplum = medplum;
  await medplum.startClientLogin(clientId, clientSecret);
  createRoot(document.getElementById('root')).render(<Page medplum={medplum} securityContext={securityContext} />);
};
