{{/* The name of every object, and the beginning of the others. */}}
{{- define "stackledger.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* Labels that select pods: they may not change. */}}
{{- define "stackledger.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stackledger.labels" -}}
{{ include "stackledger.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The Secret of the variables. */}}
{{- define "stackledger.secret" -}}
{{- if .Values.existingSecret -}}
{{ .Values.existingSecret }}
{{- else -}}
{{- range list "DATABASE_URL" "AMQP_URL" -}}
{{- if not (get $.Values.secret .) -}}
{{- fail (printf "set existingSecret, or secret.%s" .) -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.secret.TOKENS .Values.insecureListen) -}}
{{- fail "set secret.TOKENS, or insecureListen: true to serve without tokens" -}}
{{- end -}}
{{ include "stackledger.fullname" . }}
{{- end -}}
{{- end -}}

{{/* Annotations that change with what a process reads at its start, so that its pods are replaced. */}}
{{- define "stackledger.checksums" -}}
checksum/config: {{ .Values.config | sha256sum }}
{{- if not .Values.existingSecret }}
checksum/secret: {{ .Values.secret | toJson | sha256sum }}
{{- end }}
{{- end -}}

{{/* What all pods have in common. */}}
{{- define "stackledger.pod" -}}
automountServiceAccountToken: false
# Otherwise each Service of the namespace adds variables.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.config }}
volumes:
  - name: config
    configMap:
      name: {{ include "stackledger.fullname" . }}
{{- end }}
{{- end -}}

{{/* What all containers have in common. */}}
{{- define "stackledger.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources: {{- toYaml .Values.resources | nindent 2 }}
envFrom:
  - secretRef:
      name: {{ include "stackledger.secret" . }}
{{- if .Values.config }}
volumeMounts:
  - name: config
    mountPath: /etc/stackledger
    readOnly: true
{{- end }}
{{- end -}}

{{/* Variables that every process gets, beside those of the Secret, over which they take precedence. */}}
{{- define "stackledger.env" -}}
{{- if .Values.config -}}
- name: STACKLEDGER_CONFIG
  value: /etc/stackledger/stackledger.toml
{{ end -}}
{{- range $name, $value := .Values.env -}}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{ end -}}
{{- end -}}
