{{/* The configuration of the program, as a file of TOML. Secrets are files that it names. */}}

{{/* One value of TOML. A string of JSON is one of TOML, too. */}}
{{- define "vestibule.toml" -}}
{{- if kindIs "float64" . -}}
{{- /* Values have no whole numbers of their own, and TOML tells them apart. */ -}}
{{- if eq . (floor .) }}{{ int64 . }}{{ else }}{{ toJson . }}{{ end -}}
{{- else if kindIs "slice" . -}}
[{{ range $i, $one := . }}{{ if $i }}, {{ end }}{{ include "vestibule.toml" $one }}{{ end }}]
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{/* Where secrets are mounted. */}}
{{- define "vestibule.secrets" -}}/run/secrets/vestibule{{- end -}}

{{/* All of it as a map of sections, `extraConfig` last. */}}
{{- define "vestibule.sections" -}}
{{- $dir := include "vestibule.secrets" . -}}
{{- $v := .Values -}}
{{- $smtp := dict "host" $v.smtp.host "tls" $v.smtp.tls "from_address" $v.smtp.fromAddress "timeout" $v.smtp.timeout -}}
{{- with $v.smtp.port }}{{ $_ := set $smtp "port" . }}{{ end -}}
{{- with $v.smtp.fromName }}{{ $_ := set $smtp "from_name" . }}{{ end -}}
{{- with $v.smtp.username }}{{ $_ := set $smtp "username" . }}{{ end -}}
{{- if $v.smtp.secret.name }}{{ $_ := set $smtp "password_file" (printf "%s/smtp-password" $dir) }}{{ end -}}
{{- $brand := dict "name" $v.brand.name "time_zone" $v.brand.timeZone -}}
{{- with $v.brand.support }}{{ $_ := set $brand "support" . }}{{ end -}}
{{- $_ := set $brand "home" $v.brand.home -}}
{{- with $v.brand.colour }}{{ $_ := set $brand "colour" . }}{{ end -}}
{{- if $v.brand.logo.configMap }}{{ $_ := set $brand "logo" (printf "%s/logo" $dir) }}{{ end -}}
{{- range $name, $address := $v.brand.links }}{{ with $address }}{{ $_ := set $brand (printf "links.%s" $name) . }}{{ end }}{{ end -}}
{{- $shutdown := dict "grace" (printf "%ds" (int64 $v.shutdown.graceSeconds)) -}}
{{- if $v.shutdown.delaySeconds }}{{ $_ := set $shutdown "delay" (printf "%ds" (int64 $v.shutdown.delaySeconds)) }}{{ end -}}
{{- $config := dict
  "listen" (dict "public" "0.0.0.0:8080" "ops" "0.0.0.0:9090")
  "database" (dict "url_file" (printf "%s/database-url" $dir) "max_connections" $v.database.maxConnections)
  "smtp" $smtp
  "hashing" (dict "threads" $v.hashing.threads "queue" $v.hashing.queue "wait" $v.hashing.wait)
  "brand" $brand
  "log" (dict "format" $v.log.format "level" $v.log.level)
  "shutdown" $shutdown
-}}
{{- if $v.redis.secret.name }}{{ $_ := set $config "ephemeral" (dict "url_file" (printf "%s/redis-url" $dir)) }}{{ end -}}
{{- if $v.proxies.trusted }}{{ $_ := set $config "proxies" (dict "trusted" $v.proxies.trusted) }}{{ end -}}
{{- if $v.tls.secretName }}{{ $_ := set $config "tls" (dict "cert" (printf "%s/tls/tls.crt" $dir) "key" (printf "%s/tls/tls.key" $dir)) }}{{ end -}}
{{- mergeOverwrite $config (deepCopy $v.extraConfig) | toJson -}}
{{- end -}}

{{- define "vestibule.config" -}}
issuer = {{ .Values.issuer | toJson }}
{{- if .Values.redis.secret.name }}
# There may be others. Not how many: a change of the number would start every pod anew.
replicas = 2
{{- end }}
{{ range $section, $keys := include "vestibule.sections" . | fromJson }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "vestibule.toml" $value }}
{{- end }}
{{ end }}
{{- $dir := include "vestibule.secrets" . -}}
{{- range .Values.rootKeys }}
[[keys.root_file]]
id = {{ .id | toJson }}
file = {{ printf "%s/root-keys/%s" $dir .id | toJson }}
{{ end }}
{{- end -}}
