{{/* What the pods that serve and the one that migrates have in common. */}}

{{- define "vestibule.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
# Mounted secrets are readable by this group, and by no other user.
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "vestibule.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "vestibule.mounts" -}}
- name: config
  mountPath: /etc/vestibule
  readOnly: true
- name: secrets
  mountPath: {{ include "vestibule.secrets" . }}
  readOnly: true
{{- end -}}

{{/* The secrets as files of one volume, each under the name that the configuration has for it. */}}
{{- define "vestibule.secretVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .Values.database.secret.name | quote }}
          items:
            - key: {{ .Values.database.secret.key | quote }}
              path: database-url
      {{- with .Values.redis.secret }}
      {{- if .name }}
      - secret:
          name: {{ .name | quote }}
          items:
            - key: {{ .key | quote }}
              path: redis-url
      {{- end }}
      {{- end }}
      {{- with .Values.smtp.secret }}
      {{- if .name }}
      - secret:
          name: {{ .name | quote }}
          items:
            - key: {{ .key | quote }}
              path: smtp-password
      {{- end }}
      {{- end }}
      {{- range .Values.rootKeys }}
      - secret:
          name: {{ .secret.name | quote }}
          items:
            - key: {{ .secret.key | quote }}
              path: root-keys/{{ .id }}
      {{- end }}
      {{- with .Values.brand.logo }}
      {{- if .configMap }}
      - configMap:
          name: {{ .configMap | quote }}
          items:
            - key: {{ .key | quote }}
              path: logo
      {{- end }}
      {{- end }}
      {{- with .Values.tls.secretName }}
      - secret:
          name: {{ . | quote }}
          items:
            - key: tls.crt
              path: tls/tls.crt
            - key: tls.key
              path: tls/tls.key
      {{- end }}
{{- end -}}

{{- define "vestibule.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "vestibule.egressDNS" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
  ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end -}}

{{/* One port, to some peers or to anywhere. */}}
{{- define "vestibule.egress" -}}
- ports:
    - { port: {{ int64 .port }}, protocol: TCP }
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
