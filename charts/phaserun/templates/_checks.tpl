{{/* What the schema cannot see: values that go against each other. */}}
{{- define "phaserun.checks" -}}
{{- with .Values.postgres -}}
{{- if and (eq .mode "external") (not .external.existingSecret) -}}
{{- fail "postgres.external.existingSecret: name the Secret that holds the address of your Postgres, as postgres.mode is external" -}}
{{- end -}}
{{- end -}}
{{- range $servers := list "bundled" "cloudnativepg" -}}
{{- range $parameter, $_ := (index $.Values.postgres $servers).parameters -}}
{{- if eq $parameter "max_connections" -}}
{{- fail (printf "postgres.%s.parameters.max_connections: set postgres.maxConnections instead, which the chart counts with" $servers) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.redis -}}
{{- if and (eq .mode "external") (not .external.existingSecret) -}}
{{- fail "redis.external.existingSecret: name the Secret that holds the address of your Redis, as redis.mode is external" -}}
{{- end -}}
{{- end -}}
{{- with .Values.api.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "api.autoscaling.minReplicas is %d, and api.autoscaling.maxReplicas only %d" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- range $server := list "postgres" "redis" -}}
{{- with index $.Values $server -}}
{{- if and (eq .mode "bundled") .bundled.tls.enabled (not .bundled.tls.existingSecret) (eq $.Values.passwordsMadeBy "job") -}}
{{- fail (printf "%s.bundled.tls.existingSecret: name the Secret with the certificate, as passwordsMadeBy is job, which makes no certificates" $server) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tenant.create (not .Values.tenant.name) -}}
{{- fail "tenant.name: say what the customer is called, as tenant.create is true" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one host, as ingress.enabled is true" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the Gateway, as httpRoute.enabled is true" -}}
{{- end -}}
{{- include "phaserun.checkConnections" . -}}
{{- end -}}

{{/*
A pool that cannot have its connections fails under load, when nobody looks. Counted are all replicas and the one more that a
rollout adds to each Deployment; each API replica listens on one connection beside its pool. Postgres keeps three for superusers,
and five are left for migrations, commands and dashboards.
*/}}
{{- define "phaserun.checkConnections" -}}
{{- $api := int (ternary .Values.api.autoscaling.maxReplicas .Values.api.replicas .Values.api.autoscaling.enabled) -}}
{{- $ofApi := mul (add1 $api) (add1 (int .Values.api.databasePoolMax)) -}}
{{- $ofController := mul (add1 (int .Values.controller.replicas)) (int .Values.controller.databasePoolMax) -}}
{{- $needed := add $ofApi $ofController 8 -}}
{{- if gt (int $needed) (int .Values.postgres.maxConnections) -}}
{{- fail (printf "postgres.maxConnections is %d, and %d connections may be wanted: %d API replicas and one during a rollout, each with api.databasePoolMax (%d) + 1; %d controllers and one during a rollout, each with controller.databasePoolMax (%d); and 8 besides. Lower replicas or pools, or raise what Postgres lets in" (int .Values.postgres.maxConnections) (int $needed) $api (int .Values.api.databasePoolMax) (int .Values.controller.replicas) (int .Values.controller.databasePoolMax)) -}}
{{- end -}}
{{- end -}}
