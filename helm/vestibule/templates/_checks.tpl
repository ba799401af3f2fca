{{/* What the schema cannot say: values that are good one by one and wrong together. */}}

{{- define "vestibule.check" -}}
{{- $v := .Values -}}
{{- $many := or (gt (int64 $v.replicas) 1) $v.autoscaling.enabled -}}
{{- if and $many (not $v.redis.secret.name) -}}
{{- fail "redis.secret.name: more than one replica needs Redis, or each counts posts alone. Name its secret, or set replicas to 1 and autoscaling.enabled to false." -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (lt (int64 $v.autoscaling.maxReplicas) (int64 $v.autoscaling.minReplicas)) -}}
{{- fail "autoscaling.maxReplicas: is less than autoscaling.minReplicas" -}}
{{- end -}}
{{- if ne (empty $v.smtp.username) (empty $v.smtp.secret.name) -}}
{{- fail "smtp.username and smtp.secret.name: set both, or neither" -}}
{{- end -}}
{{- if and $v.ingress.enabled (empty $v.proxies.trusted) -}}
{{- fail "proxies.trusted: with an ingress, name the networks of its pods. Otherwise all clients have the ingress's address and share one limit." -}}
{{- end -}}
{{- $ids := list -}}
{{- range $v.rootKeys -}}
{{- if has .id $ids }}{{ fail (printf "rootKeys: the id %s is there twice" .id) }}{{ end -}}
{{- $ids = append $ids .id -}}
{{- end -}}
{{/* extraConfig goes into a ConfigMap, which more people may read than secrets. */}}
{{- range $path := list (list "database" "url") (list "ephemeral" "url") (list "smtp" "password") -}}
{{- $section := get $v.extraConfig (first $path) | default dict -}}
{{- if hasKey $section (last $path) -}}
{{ fail (printf "extraConfig.%s: is a secret, and this value is not kept as one: see README.md" (join "." $path)) }}
{{- end -}}
{{- end -}}
{{- range $section := list "issuer" "keys" -}}
{{- if hasKey $v.extraConfig $section }}{{ fail (printf "extraConfig.%s: has a value of its own: see README.md" $section) }}{{ end -}}
{{- end -}}
{{- end -}}
