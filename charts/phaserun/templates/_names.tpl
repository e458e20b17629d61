{{- define "phaserun.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "phaserun" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-phaserun" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object. Takes the context and the component: (list . "api"). */}}
{{- define "phaserun.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "phaserun.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: phaserun
{{- end -}}

{{/* What selects the pods of a component: (list . "api"). It never changes. */}}
{{- define "phaserun.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: phaserun
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* repository:tag, or repository:tag@digest. Takes the image and the tag that stands in for an empty one. */}}
{{- define "phaserun.imageReference" -}}
{{- $image := index . 0 -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/*
The value of a key of a Secret that is made once: what is there stays. Takes (list . "secret" "key"). `helm template` sees no
cluster, and makes a new one each time.
*/}}
{{- define "phaserun.keptPassword" -}}
{{- $root := index . 0 -}}
{{- $secret := lookup "v1" "Secret" $root.Release.Namespace (index . 1) | default dict -}}
{{- with get ($secret.data | default dict) (index . 2) -}}
{{- . -}}
{{- else -}}
{{- randAlphaNum 32 | b64enc -}}
{{- end -}}
{{- end -}}

{{/* The data of a Secret with a certificate of its own authority, which is made once. Takes (list . "secret" "service"). */}}
{{- define "phaserun.keptCertificate" -}}
{{- $root := index . 0 -}}
{{- $secret := lookup "v1" "Secret" $root.Release.Namespace (index . 1) | default dict -}}
{{- with $secret.data -}}
{{- toYaml . -}}
{{- else -}}
{{- $service := index . 2 -}}
{{- $qualified := printf "%s.%s" $service $root.Release.Namespace -}}
{{- $names := list $service $qualified (printf "%s.svc" $qualified) (printf "%s.svc.cluster.local" $qualified) "localhost" -}}
{{- $authority := genCA (printf "%s authority" $service) 3650 -}}
{{- $certificate := genSignedCert $service (list "127.0.0.1") $names 3650 $authority -}}
ca.crt: {{ $authority.Cert | b64enc }}
tls.crt: {{ $certificate.Cert | b64enc }}
tls.key: {{ $certificate.Key | b64enc }}
{{- end -}}
{{- end -}}

{{/* The admission policies, as they are named in files/policies.yaml. */}}
{{- define "phaserun.policyNames" -}}
{{- $names := list -}}
{{- range regexSplit "(?m)^---$" (.Files.Get "files/policies.yaml") -1 -}}
{{- $names = append $names (fromYaml .).metadata.name -}}
{{- end -}}
{{- toJson (uniq $names) -}}
{{- end -}}

{{/* The paths that are let in from outside, as JSON. /metrics names the repositories of all customers. */}}
{{- define "phaserun.publicPaths" -}}
{{- $paths := .Files.Get "files/public-paths.yaml" | fromYamlArray -}}
{{- if .Values.exposeMetrics -}}{{- $paths = append $paths "/metrics" -}}{{- end -}}
{{- toJson $paths -}}
{{- end -}}

{{/* "true" where objects of the Prometheus operator are wanted. */}}
{{- define "phaserun.hasOperator" -}}
{{- $mode := .Values.monitoring.prometheusOperator -}}
{{- if or (eq $mode "always") (and (eq $mode "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor")) -}}
true
{{- end -}}
{{- end -}}

{{/* Where pods of the cluster find the API. */}}
{{- define "phaserun.apiUrl" -}}
{{- $port := int .Values.api.service.port -}}
http://{{ include "phaserun.name" . }}-api.{{ .Release.Namespace }}{{ if ne $port 80 }}:{{ $port }}{{ end }}
{{- end -}}

{{- define "phaserun.tenantSecret" -}}
{{- .Values.tenant.keySecret | default (printf "%s-tenant" (include "phaserun.name" .)) -}}
{{- end -}}
