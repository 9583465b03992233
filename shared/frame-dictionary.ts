/**
 * Words that frames are made of, shared by both sides, so that a short frame compresses too. Part of the protocol:
 * changing it is a new encoding byte.
 */
export const frameDictionary = Buffer.from(
  [
    '"status":{"conditions":[{"type":"Ready","status":"True","reason":"","message":"","lastTransitionTime":"2026-',
    '"observedDesired":{"value":"","metadata":{"timestamp":"","type":"string"}},"reported":{"value":"',
    '{"apiVersion":"devices.kubeedge.io/v1beta1","kind":"DeviceModel","metadata":{"generation":1,"name":"',
    '"spec":{"properties":[{"name":"","description":"","type":"FLOAT","accessMode":"ReadWrite","minimum":"","maximum":"","unit":"',
    '{"apiVersion":"devices.kubeedge.io/v1beta1","kind":"Device","metadata":{"generation":1,"labels":{"',
    '"spec":{"deviceModelRef":{"name":""},"nodeName":"","properties":[{"desired":{"value":""},"name":"","reportToCloud":true,',
    '"visitors":{"protocolName":"","configData":{"protocol":{"protocolName":"virtual"}',
    '{"apiVersion":"v1","data":{"","kind":"ConfigMap","metadata":{"name":"","namespace":"default","uid":"',
    '{"apiVersion":"v1","data":{"","kind":"Secret","metadata":{"name":"","namespace":"default","uid":"","type":"Opaque"',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{},"deletionGracePeriodSeconds":30,"deletionTimestamp":"',
    '"spec":{"containers":[{"image":"","imagePullPolicy":"IfNotPresent","name":"","resources":{},"terminationMessagePath":',
    '"/dev/termination-log","terminationMessagePolicy":"File","volumeMounts":[{"mountPath":"","name":""}]}],',
    '"dnsPolicy":"ClusterFirst","enableServiceLinks":true,"nodeName":"","restartPolicy":"Always","schedulerName":"default-scheduler",',
    '"securityContext":{},"serviceAccountName":"default","terminationGracePeriodSeconds":30,"volumes":[{"configMap":{"defaultMode":420,"name":"',
    '{"is":"answered","box":"","accepted":[[1,1]],"refused":[]}',
    '{"is":"reports","box":"","items":[{"seq":1,"version":1,"report":{"is":"event","is":"pod","is":"node","is":"device",',
    '"namespace":"default","name":"","uid":"","twins":{"":{"type":"string","desired":{"value":"","at":17},"reported":{"value":"","at":17',
    '{"is":"applied","talk":"","epoch":"","revision":1,"digest":"',
    '{"is":"compare","talk":"","is":"inventory","talk":"","part":0,"of":1,"items":[["pods/default/","configmaps/default/","secrets/default/",',
    '"devices/default/","devicemodels/default/',
    '{"is":"changes","talk":"","epoch":"","from":1,"to":2,"base":"","digest":"","put":[["","drop":[],"complete":true}',
    '{"is":"same","talk":"","epoch":"","revision":1,"digest":"',
    '{"is":"have","protocol":1,"talk":"","epoch":"","revision":1,"digest":"","count":1,"why":"connect","edgecore":"0.1.0"}',
  ].join(''),
)
