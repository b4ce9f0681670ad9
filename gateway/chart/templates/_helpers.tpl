{{- define "gateway.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "gateway.labels" -}}
app.kubernetes.io/name: backstop-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: backstop-gateway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .tier }}
{{- end }}

{{- define "gateway.image" -}}
{{- $say := "set image.digest to the digest that you run: docker buildx imagetools inspect " -}}
{{ .Values.image.repository }}@{{ required (printf "%s%s:%s" $say .Values.image.repository .Values.image.tag) .Values.image.digest }}
{{- end }}

{{/* What has no default: each says what to set. */}}
{{- define "gateway.demand" -}}
{{- $_ := required "set token.existingSecret to the name of a Secret with the token that functions send" .Values.token.existingSecret -}}
{{- $_ := required "set primary.url to the base address of your OTLP backend, such as https://otlp.example.com" .Values.primary.url -}}
{{- $_ := required "set archive.bucket to the bucket for raw and undelivered records" .Values.archive.bucket -}}
{{- $_ := required "set archive.region to the region of the bucket" .Values.archive.region -}}
{{- end }}

{{/* What is valid alone, and not together. */}}
{{- define "gateway.consistent" -}}
{{- with .Values -}}
{{- if and (has "cost" .presets) (not .archive.raw) -}}
{{- fail "the preset cost removes records for good without archive.raw: set it to true, or leave the preset out" -}}
{{- end -}}
{{- if and (has "insights" .presets) .networkPolicy.enabled (not .networkPolicy.metrics) -}}
{{- fail "the preset insights shows patterns of log text on port 8889: set networkPolicy.metrics to the peers that may read them" -}}
{{- end -}}
{{- if and .workers.autoscaling.enabled (lt (int .workers.autoscaling.maxReplicas) (int .workers.replicas)) -}}
{{- fail "workers.autoscaling.maxReplicas is below workers.replicas, from which it scales" -}}
{{- end -}}
{{- if and (ne .service.type "ClusterIP") (not .tls.existingSecret) (not .service.annotations) -}}
{{- fail "service.type opens the doors to outside without TLS, which shows the token: set tls.existingSecret, or service.annotations with the load balancer's certificate" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.tlsSecret) (not .ingress.annotations) -}}
{{- fail "the Ingress has no TLS, which shows the token: set ingress.tlsSecret, or ingress.annotations with its certificate" -}}
{{- end -}}
{{- if and .ingress.enabled .tls.existingSecret (not .ingress.annotations) -}}
{{- fail "the workers end TLS, and the Ingress would speak plain HTTP to them: leave out tls.existingSecret, or say with ingress.annotations that the backend speaks HTTPS" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
Seconds from SIGTERM to SIGKILL. A worker closes its doors at once. An aggregator first ends the attempts at the primary,
which may take its patience, and before that it does not write what the preset cost holds to the queue. Ten minutes at most.
*/}}
{{- define "gateway.grace" -}}
{{- $patience := .root.Values.primary.patience -}}
{{- $unit := ternary 1 (ternary 60 3600 (hasSuffix "m" $patience)) (hasSuffix "s" $patience) -}}
{{- $seconds := min 600 (mul $unit (regexFind "^[0-9]+" $patience | int)) -}}
{{ ternary 60 (add 60 $seconds) (eq .tier "worker") }}
{{- end }}

{{/* The files of a tier, in the order in which the collector merges them. */}}
{{- define "gateway.files" -}}
{{- $root := .root -}}
{{- $tier := .tier -}}
{{- $files := list "common.yaml" (printf "%s.yaml" $tier) -}}
{{- if and (eq $tier "worker") $root.Values.archive.raw }}{{ $files = append $files "options/archive.yaml" }}{{ end -}}
{{- range $preset := list "cost" "security" "insights" -}}
{{- if and (has $preset $root.Values.presets) ($root.Files.Get (printf "config/presets/%s.%s.yaml" $preset $tier)) -}}
{{- $files = append $files (printf "presets/%s.%s.yaml" $preset $tier) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $tier "aggregator") $root.Values.primary.authorization.existingSecret -}}
{{- $files = append $files "options/authorization.yaml" -}}
{{- end -}}
{{- if eq $tier "worker" -}}
{{- if $root.Values.tls.existingSecret }}{{ $files = append $files "options/tls.yaml" }}{{ end -}}
{{- if gt (int $root.Values.aggregators.replicas) 1 }}{{ $files = append $files "options/aggregators.yaml" }}{{ end -}}
{{- end -}}
{{ $files | toJson }}
{{- end }}

{{/* A part of the volume in bytes. Five files may be on it: see common.yaml. */}}
{{- define "gateway.bytes" -}}
{{ div (mul (int .diskGiB) 1073741824 (int .percent)) 100 }}
{{- end }}

{{/* The addresses of the aggregators, which stay when a pod is replaced: its functions wait in the queue. */}}
{{- define "gateway.resolver" -}}
{{- $name := printf "%s-aggregator" (include "gateway.name" .) -}}
{{- $hosts := list -}}
{{- range $number := until (int .Values.aggregators.replicas) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s.%s.svc:4317" $name $number $name $.Release.Namespace) -}}
{{- end -}}
{{ dict "static" (dict "hostnames" $hosts) | toJson }}
{{- end }}
