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

{{/* The files of a tier, in the order in which the collector merges them. */}}
{{- define "gateway.files" -}}
{{- $root := .root -}}
{{- $tier := .tier -}}
{{- $files := list "common.yaml" (printf "%s.yaml" $tier) -}}
{{- if and (eq $tier "worker") $root.Values.archive.raw }}{{ $files = append $files "options/archive.yaml" }}{{ end -}}
{{- if and (has "cost" $root.Values.presets) (not $root.Values.archive.raw) -}}
{{- fail "the preset cost removes records for good without archive.raw: set it to true, or leave the preset out" -}}
{{- end -}}
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
