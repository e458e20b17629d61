{{- define "phaserun.redisName" -}}{{ include "phaserun.name" . }}-redis{{- end -}}

{{- define "phaserun.redisSecret" -}}
{{- .Values.redis.bundled.existingSecret | default (include "phaserun.redisName" .) -}}
{{- end -}}

{{- define "phaserun.redisTlsSecret" -}}
{{- .Values.redis.bundled.tls.existingSecret | default (printf "%s-tls" (include "phaserun.redisName" .)) -}}
{{- end -}}

{{/* Secret whose ca.crt verifies Redis; empty where none does. */}}
{{- define "phaserun.redisCaSecret" -}}
{{- if and (eq .Values.redis.mode "bundled") .Values.redis.bundled.tls.enabled -}}
{{- include "phaserun.redisTlsSecret" . -}}
{{- else if eq .Values.redis.mode "external" -}}
{{- .Values.redis.external.caSecret -}}
{{- end -}}
{{- end -}}

{{/* REDIS_URL, as the mode has it; nothing where there is no Redis. */}}
{{- define "phaserun.redisUrl" -}}
{{- if eq .Values.redis.mode "bundled" -}}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "phaserun.redisSecret" . }}
      key: password
- name: REDIS_URL
  value: {{ ternary "rediss" "redis" .Values.redis.bundled.tls.enabled }}://:$(REDIS_PASSWORD)@{{ include "phaserun.redisName" . }}:6379
{{- else if eq .Values.redis.mode "external" -}}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.external.existingSecret }}
      key: {{ .Values.redis.external.existingSecretKey }}
{{- end }}
{{- if include "phaserun.redisCaSecret" . }}
# Beside those that Node trusts anyway.
- name: NODE_EXTRA_CA_CERTS
  value: /etc/phaserun/redis-ca/ca.crt
{{- end }}
{{- end -}}
