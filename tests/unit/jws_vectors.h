/* Keys and tokens made with PyJWT and python-cryptography, so that another implementation judges ours. */
#ifndef FHIR_TESTS_JWS_VECTORS_H
#define FHIR_TESTS_JWS_VECTORS_H

static const char vector_set[] =
    "{\"keys\": [{\"kty\": \"RSA\", \"n\": \"xawk7nZJXqmBpp8aWyp5UPPrWLjUF4j9bA53NKKris-X0qdMMj6jnqrNCNOq"
    "im4X0KX0Oe14IRGzcXLgWg0UdBDtkOLuSq0RhbRf4TgsaAWkk29mMsSlT-2PHG4NBs4bluhcrWNckKv3IK95yljkXr3TwhjHmTTn"
    "WLNLudFLLQy_mFQAIpSVuNKOGwIKiMts4DcY4AX1NhH1L987uArfhTzeACVBDqxcWmHqJomEz6rj2PCO7A-fc-s_uszVjdF4qj9r"
    "BGpXLYMA9IoMdSHyo8KT9rEKfPXYjTJX4QyX36p4UCyl7EOJUEbbw8jaK6XEhHbc-6ayQ1nYa1pt50tdUQ\", \"e\": \"AQAB"
    "\", \"kid\": \"rsa\"}, {\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"bJpymVbgVwYpY2XnQTPoiGJHPukA1o"
    "Us07mg5KF1Uok\", \"y\": \"VVu2T6d2PLPd6CnoXnF2gps-sPD306g1DhT5o6w8jRw\", \"kid\": \"p256\"}, {\"kty"
    "\": \"EC\", \"crv\": \"P-384\", \"x\": \"kpws1Hc6lphDHgJZB8Ec8kV86M2FHpI4j_TJ2JbSYZB9Mc8ZpZQDMDk9ko6"
    "HR8dr\", \"y\": \"blvfHcaJIqCWfV5NkgLApnwa6EdJgTSGMvpVX64RKoGGh86K03rTLiuuKrxkC1zQ\", \"kid\": \"p38"
    "4\"}, {\"kty\": \"EC\", \"crv\": \"P-521\", \"x\": \"ExwcR7E2_eE16cE-mp9yaukeKM2I7bBg5RsVB3Y8uiyKj8b"
    "tYGQb_D3dgGJpEGRwBigzsn8Ce9b36-YdOQFlnwA\", \"y\": \"ivC63fWwNIqcicBnxXEuM7Ne2XpIzmy6UXm6dpBZ0Ltuk0D"
    "WpOUhc2DhCRLjjsoyeLyOYsfcB9H3SiJotlot43g\", \"kid\": \"p521\"}, {\"x\": \"dEI6bncbDSn7a9Lw0o37XCu-Uu"
    "alknxOpsWG9yr04uw\", \"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"ed\"}]}";

static const struct {
    const char *algorithm;
    const char *token;
} vector_tokens[] = {
    {"RS256", "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.aV_eNcXotIPbh-n1Lnl0BiN9vOgFY4owjRHbRDVUcPcmV2KInY6YjHDYMhFSkV8MDgrrif1rcRJ2Br94JQi"
              "--GOsbjaJ_pRVcFJkyPBC_gITVSKV4XiZKF74TeEHJNBOrOk74KuBX-vpRqxdgSU0PVBT8R0ichCKgo8NTpxDeOf29pc1V8UuZAb"
              "Bi69sWhspDLFO8dQm155BReR7xuaMfD2w_43COC9EmmtWR5yFfK1QBPZ8vu3sLW1scu08JpULwIQSQaGwFukLbroEN_Ee5HkHftN"
              "1w3zeHzL5gyYXsgpFa73JV5wlANjVJDiUQ6QckzrxbF3YzM_KIBO3Vi_w3w"},
    {"RS384", "eyJhbGciOiJSUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.XYn0wysU_RghK_7phopOnF1WpNDGXTZ-gr-LKrcT0dwq7F1TTug9N_pWTPv-WikuaVOQkDJEpgZ5HXEe1PR"
              "PWBwHsYhQG_Lex14uj3CtRxbm7Aby7WZ8p6n-xZmmeKPt7bqW6Xi2CujB9Yg5wI_bBn6VlEcJJu5BgmTef6pMT6VkHtMUqZXRR-g"
              "S0Uh0gaHZAI_-Nv63glawmaBgDMAHJA1ha2SCp6FDGtb9M2DgWYZJtCH7HgPWuEoBBncb4nxYKOuiJG-wtrCVwSABnS99QxHexca"
              "likGnyf-z5GLFS1FpIbjBHgwq9iLdEZO_7tytMfmpIcIJrwdyn22elca16w"},
    {"RS512", "eyJhbGciOiJSUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.xS_IbChGj58685ps4YeVOAbbXMbfBndkxbpG4XuO5o95tY0Awm4gLNkB7uRDoe3-GiYS4ypVVhkZnfASDi6"
              "eyuIEPVBRkcsqmi2ULvcMcgZWOrqnfeyQbsTxKryx1WBjMO0eC-6VFyjxVpvdvyGKqz2xCxTia_J66aBFjnl3Qz_1QZaa4rcnarq"
              "xKt1XCqD7d2muaBC94UfklqwdvO6JL-oH-8W4wwkFo2mLpcAu_oRIVtixssI29vsb-CfPCVuFSVTYk9_2MWtvazddqQLm2EgHgk7"
              "c5NCMtnMkZAmxbLDha-Gi3aRJn7O-4uh9erMJSwdrch-g2ChMXvpzr4n9-Q"},
    {"PS256", "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.MmBht9sCLf_4_1bThzUU1Ia52o557wcbEjDXyoiwSpbg2_ILXSqI8j1p69vvsdSEplEIuZarucz8uDAdFWA"
              "BWusCNSqzwwuXowQqz8wzmU33LFCqkMSM5UuSXS3ODvrtZGbeFG3DhhoIDG8DyI45LcOmQ4e69RjejlXUFJWqgxEDZafnUly_R74"
              "XOfA7GfDP-IT8xLaKjoGnGwtAg3PW23L4p4jVpCQqWcOwV4CLA5t_UIsTvPS87gYQGhClfxN2benJ_OkSl5eJfoobbQuZ5wvoyte"
              "l37BHSpKmLw_Qh__qk_n-FZR-7qz_b3o9QcmHn5Vza2mCSw96fhWUWVHFWA"},
    {"PS384", "eyJhbGciOiJQUzM4NCIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.tst_nmLMWp9BIss6aexM45ZIQHIfV9GGemyivuk42MO1JfMofh57u-z_9nFYkR8PkqVNRCWgAMjvORlXBGB"
              "zWcCa_WkfA1ch8OyXQrJHwoUZ0GA0bdesR5NcDv3iQ9XhlnGfT2xHZaUZrrrVpi-h0nncm47xMN1mwlYcGaeyMjWGAYtF7GeIhgF"
              "QE6Cq9BeK8LvcE1LPzl1Ttduu-d-Ec3O15glO9qVXYa8vMeqDaemB457E-7A1YcId6Hq_c313PTscYdyRah30j7JV15GDktX4_Zw"
              "BCLU0jmtsM8cOxuJ64x5XniWWqJ_utpVOwObutup0OehU3Uep01wlK9VSPA"},
    {"PS512", "eyJhbGciOiJQUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyI"
              "sInN1YiI6InUxIn0.nrlp9XS-iLGMAkg0dXgyhyqZc0hri6Yz4ZdZVOetA_kltaMvHaOwmRirJ3QMsqy9RADdQviVQXGbqJsoOYf"
              "CeTpnIDp99XtSzuetBFCYr8VLirLfrZstCXpkCuEgtvxTe4Zn9ASd0gYhxag0SW2K1koTu3UZ_KFFx2aclljJFyXijn6QXSnlfib"
              "0rvSmSQDLwdZNEOVOFZ8ZSbdtew-Q4ec1Uk1ag-bHBGR91TxS0ajRqADcbOUxCQjLf0N4aNOBzlXv5MIgfn2wpeOMrf3yrVaWy1M"
              "V4lsdNCtPsXJIOJyt3HBjSfRoaFZbtgJU83CGJaurmVmEee0-PXBDEDbZYw"},
    {"ES256", "eyJhbGciOiJFUzI1NiIsImtpZCI6InAyNTYiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZ"
              "yIsInN1YiI6InUxIn0.nGqGWWEGk7j_ZltIdMX7tM0mvVKnfj5Ms8Etm3I4dEzJP7_QPU3DMb1M-3yrh9u15V5oATRtAs20VBhqH"
              "z-DaQ"},
    {"ES384", "eyJhbGciOiJFUzM4NCIsImtpZCI6InAzODQiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZ"
              "yIsInN1YiI6InUxIn0.zC4iPbgBfrvAemBXEs3Y1ssyJJawxTPq-2UPyDyc_U1qiqEr4jS-5CkwMP4ROAA9CjEXeM8u_r6xSSsW-"
              "1-bJVyzc13sdd3IA2fJqptnC364Z8DlKJiOpwYdyrraFYJt"},
    {"ES512", "eyJhbGciOiJFUzUxMiIsImtpZCI6InA1MjEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZ"
              "yIsInN1YiI6InUxIn0.ATUD7zmzlCEUFaWMPbzGpQpuZkJjOfVQe7X1LoSrbK_QCdYV9KjeAOnzeXCnDlubgxK8Yizc3weuLPHnF"
              "vNPjF3xAM6_ZPdoW4nl3rTb4TwfXGlykFQOx0Ne6RUBkCdooj0iWboDQZ7vn6TaFlzqEbQx38OjP14iGxBhvDfoiEFy3lN-"},
    {"EdDSA", "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZyIs"
              "InN1YiI6InUxIn0.04PSwOqz-ADYrGh5tDgoErxCb4WpBTBbFClv7vPaJUYcGXqnAwEGxMv_yxwqNz02QzqxgieFe3Pop4b5xXRA"
              "CA"},
};

static const char vector_weak_set[] =
    "{\"keys\":[{\"kty\": \"RSA\", \"n\": \"1O88SdrFNj2tWlJC1oXcJxFB4fASIVPK0YETjVst6im_zKBXcIkcYWcy16z8j"
    "tnmhPp5iMgVYeZXSBPqo9XYvhebXcOzjktmxn9T1nketwxkgPOgEabDLsu00BLnRG686-FSwktLjHEKgv6Vol22i83EYmQ-YSpXI"
    "kVVxzUxiws\", \"e\": \"AQAB\", \"kid\": \"weak\"}]}";

static const char vector_weak_token[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IndlYWsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLm9yZ"
    "yIsInN1YiI6InUxIn0.gJOB7d3FTLRBcm0ugGdcD9Of8FyhKcAogJ7N5cIxoQ-8Tb0oZrbAITAxTBuTrgu89Nc12ZM0jDO9doddx"
    "fnuPZTFdisBZZA2MY8wMTV9CjeJM7_wKQq56lVui6souIvI_P_G2kWXVOvwFet0oJ5qz8lowYRrCMkZjfKPJ62UvnY";

#endif
