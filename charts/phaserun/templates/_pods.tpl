{{/* What all pods have: what the namespace standard "restricted" asks of them. Takes the id of the user: (list . 65532). */}}
{{- define "phaserun.pod" -}}
{{- $root := index . 0 -}}
{{- $user := index . 1 -}}
# Variables named after whatever Services the namespace has would be read as settings.
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $user }}
  runAsGroup: {{ $user }}
  fsGroup: {{ $user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "phaserun.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where pods go. Takes the values of the component. */}}
{{- define "phaserun.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Spreads the replicas of a component: (list . "api" values). */}}
{{- define "phaserun.spread" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- $own := dict "labelSelector" (dict "matchLabels" (include "phaserun.selector" (list $root (index $ 1)) | fromYaml)) }}
  {{- range $values.topologySpreadConstraints }}
  {{- list (merge (deepCopy .) $own) | toYaml | nindent 2 }}
  {{- end }}
{{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    # Of one version, so that the pods which a rollout replaces do not count.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "phaserun.selector" (list $root (index $ 1)) | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Image and security of a container that runs the program. */}}
{{- define "phaserun.container" -}}
image: {{ include "phaserun.imageReference" (list .Values.image .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "phaserun.containerSecurity" . | nindent 2 }}
{{- end -}}

{{/* Files that every process of the program has: room for temporary ones, and what verifies Postgres. */}}
{{- define "phaserun.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "phaserun.postgresCaSecret" . }}
- name: postgres-ca
  mountPath: /etc/phaserun/postgres-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "phaserun.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with include "phaserun.postgresCaSecret" . }}
- name: postgres-ca
  secret:
    secretName: {{ . }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end -}}

{{/* Settings that both processes take from the values. */}}
{{- define "phaserun.settings" -}}
- name: NODE_ENV
  value: production
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ include "phaserun.plain" $value | quote }}
{{- end }}
{{- end -}}

{{/* A value as an environment variable has it: Helm reads numbers as floats, and would write 1e+06. */}}
{{- define "phaserun.plain" -}}
{{- if kindIs "float64" . }}{{ . | int64 }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* For a Prometheus that finds its targets by the usual annotations. Takes the port. */}}
{{- define "phaserun.scrape" -}}
prometheus.io/scrape: "true"
prometheus.io/path: /metrics
prometheus.io/port: {{ . | quote }}
{{- end -}}
