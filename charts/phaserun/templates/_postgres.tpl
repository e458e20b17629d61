{{- define "phaserun.postgresName" -}}{{ include "phaserun.name" . }}-postgres{{- end -}}

{{/* Secret with the passwords of the bundled Postgres. */}}
{{- define "phaserun.postgresSecret" -}}
{{- .Values.postgres.bundled.existingSecret | default (include "phaserun.postgresName" .) -}}
{{- end -}}

{{- define "phaserun.postgresTlsSecret" -}}
{{- .Values.postgres.bundled.tls.existingSecret | default (printf "%s-tls" (include "phaserun.postgresName" .)) -}}
{{- end -}}

{{/* Secret whose ca.crt verifies Postgres; empty where none does. */}}
{{- define "phaserun.postgresCaSecret" -}}
{{- if and (eq .Values.postgres.mode "bundled") .Values.postgres.bundled.tls.enabled -}}
{{- include "phaserun.postgresTlsSecret" . -}}
{{- else if eq .Values.postgres.mode "external" -}}
{{- .Values.postgres.external.caSecret -}}
{{- end -}}
{{- end -}}

{{/* DATABASE_URL, as the mode has it. */}}
{{- define "phaserun.databaseUrl" -}}
{{- if eq .Values.postgres.mode "bundled" -}}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "phaserun.postgresSecret" . }}
      key: password
- name: DATABASE_URL
  value: postgres://phaserun:$(POSTGRES_PASSWORD)@{{ include "phaserun.postgresName" . }}:5432/phaserun
    {{- if .Values.postgres.bundled.tls.enabled }}?sslmode=verify-full&sslrootcert=/etc/phaserun/postgres-ca/ca.crt{{ end }}
{{- else -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- if eq .Values.postgres.mode "external" }}
      name: {{ .Values.postgres.external.existingSecret }}
      key: {{ .Values.postgres.external.existingSecretKey }}
      {{- else }}
      # The operator makes it.
      name: {{ include "phaserun.postgresName" . }}-app
      key: uri
      {{- end }}
{{- end -}}
{{- end -}}

{{/* "true" where the migration makes the role that only reads. */}}
{{- define "phaserun.hasReader" -}}
{{- $create := .Values.postgres.reader.create -}}
{{- if or (eq $create "always") (and (eq $create "auto") (ne .Values.postgres.mode "external")) -}}true{{- end -}}
{{- end -}}

{{- define "phaserun.readerSecret" -}}
{{- .Values.postgres.reader.existingSecret | default (printf "%s-reader" (include "phaserun.postgresName" .)) -}}
{{- end -}}
